"""ViT-B/16, one image, every packet: ``python -m benchmarks.vit_base_packet [--rate R] [--threads N]``.

The network is built by its shapes (28 M neurons, as in `benchmarks.mapping`), mapped on a mesh of 64 × 64 cores of 128 KiB of
weights, and spikes are drawn with `sfnhw.Rates` at one rate for all layers. Prints wall and processor seconds of each step
and the peak memory of the process; the aim is 60 s and 8 GiB on 2 cores.
"""

import argparse
from itertools import pairwise

import torch

from benchmarks.laps import now, show
from benchmarks.mapping import LARGE, NETWORKS, shaped


def main() -> int:
    """Run it once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=0.2, help="share of neurons that spike (0.2)")
    parser.add_argument("--threads", type=int, help="worker threads (all cores)")
    options = parser.parse_args()

    from sfnhw.chip import load_chip
    from sfnhw.mapping import map_network
    from sfnhw.rates import Rates
    from sfnhw.sim import price, simulate

    build, shape, _ = NETWORKS["ViT-B/16"]
    chip = load_chip("sfn1").replace(LARGE)
    laps = [("start", now())]
    with torch.device("meta"):
        module = build().eval()
    network = shaped(module, shape, "ViT-B/16")
    laps.append(("shapes", now()))
    mapping = map_network(network, chip)
    laps.append(("map", now()))
    activity = Rates.given(network, {"*": options.rate}).sample(network, 1, 0)
    laps.append(("sample", now()))
    result = simulate(mapping, activity, threads=options.threads)
    laps.append(("simulate", now()))
    cost = price(result)
    laps.append(("price", now()))
    simulate(mapping, activity, fidelity="analytic")
    laps.append(("analytic", now()))
    counts = result.counts
    hops = int(result.actions.node_flits[result.tables.nodes.link >= 0].sum())
    print(
        f"ViT-B/16 at rate {options.rate:g} on {mapping.cores_used} cores: {sum(p.size for p in network.populations):,} neurons, "
        f"{int(counts.sent.sum()):,} packets, {hops:,} flit-hops, {int(counts.row_packets.sum()):,} look-ups, "
        f"{int(counts.row_synapses.sum()):,} synaptic operations; {result.latency_s * 1e3:.2f} ms, "
        f"{cost.total.value_aj * 1e-15:.3g} mJ an inference"
    )
    show([(name, begin, end) for (_, begin), (name, end) in pairwise(laps)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
