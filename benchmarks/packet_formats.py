"""Packet formats on one trained network, under three codings: the table of docs/packet-formats.md.

python -m benchmarks.packet_formats [--quick]
"""

import argparse
from typing import Any

import sfnhw
from sfnhw.digits import load_digits_split, train_digits_cnn
from sfnhw.mapping.packet_formats import AUTO, FORMATS

ROWS: dict[str, dict[str, Any]] = {
    "sfn, N = 8": {"coding": "sfn", "thresholds": 8},
    "if, T = 8": {"coding": "if", "timesteps": 8},
    "graded, 8 bits": {"coding": "graded", "bits": 8},
}
# Format, and what a bundle is of.
PACKETS = (
    (FORMATS[0], "run"),
    *((form, "run") for form in FORMATS[1:]),
    (AUTO, "run"),
    (AUTO, "position"),
)
# What depends on how spikes are packed, but for leakage.
NETWORK = ("packet", "packing_flit", "injection", "axon_lookup", "router_flit", "router_clock", "link_flit", "io_bit")


def main() -> None:
    """Train, convert, record, simulate, price; print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 epochs of training, 5 images simulated")
    quick = parser.parse_args().quick
    digits = load_digits_split()
    module = train_digits_cnn(epochs=3) if quick else train_digits_cnn()
    reference = sfnhw.load_chip("reference")
    print("| coding | packets | number | flits through routers | energy of packets | energy | latency |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, options in ROWS.items():
        network = sfnhw.convert(module, digits.train_images, labels=digits.train_labels, **options)
        recording = sfnhw.record(network, digits.test_images[: 5 if quick else 50], numerics=reference.numerics)
        for form, bundle in PACKETS:
            chip = reference.replace({"packet.format": form, "packet.bundle": bundle})
            result = sfnhw.simulate(sfnhw.map_network(network, chip), recording.activity)
            cost, n = sfnhw.price(result), result.samples
            by_action = cost.by_action()
            moved = sum(by_action[action].as_joules(n)["value"] for action in NETWORK)
            label = form if form == FORMATS[0] or bundle == "run" else f"{form}, bundles of one position"
            print(
                f"| {name} | {label} | {int(result.counts.sent.sum()) / n:,.0f} | {result.totals()['router_flit'] / n:,.0f} "
                f"| {moved * 1e9:.1f} nJ | {cost.total.as_joules(n)['value'] * 1e6:.2f} µJ "
                f"| {result.latency_s * 1e6:.1f} µs |",
                flush=True,
            )


if __name__ == "__main__":
    main()
