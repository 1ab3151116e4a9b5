"""Execution modes side by side: a layer or a row at a time, under a barrier or asynchronous; the tables of docs/execution.md.

Digits networks (converted here, 8 thresholds; IF over 8 timesteps) on 20 test images, and a random recurrent network of
2,000 neurons with 50 synapses each over 20 timesteps, all on the `reference` chip with as many routers or synapses as
they need.
"""

from typing import Any

import sfnhw
from benchmarks.simulation import random_recurrent, random_spikes
from sfnhw.activity import Activity
from sfnhw.digits import load_digits_split, train_digits_cnn, train_digits_vit
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.record import record_on_chip
from sfnhw.sim import price, simulate

SAMPLES = 20
LAYER: dict[str, Any] = {}
ROW = {"execution.granularity": "row"}
PACKED = {"packet.format": "auto"}
BARRIER = {"execution.mode": "barrier"}
FREE_BARRIER = {**BARRIER, "execution.barrier_cycles": 0}
ASYNCHRONOUS = {"execution.mode": "asynchronous"}
# What the random network needs of a core.
LARGE = {"core.neurons": 80, "core.axons": 65536, "core.weight_memory.kib": 128}


def row_of(name: str, network: Network, activity: Activity, changes: dict[str, Any], base: dict[str, Any]) -> str:
    """One line of a table: cycles by fidelity, nanojoules, end markers and tokens, all for one inference."""
    chip = sfnhw.load_chip("reference").replace({**base, **changes})
    mapping = map_network(network, chip)
    packet, analytic = (simulate(mapping, activity, fidelity=f, threads=1) for f in ("packet", "analytic"))
    energy = price(packet).total.as_joules(packet.samples)["value"] * 1e9
    control = int(packet.counts.ends.sum() + packet.counts.readies.sum()) // packet.samples
    what = ", ".join(f"{key.partition('.')[2]}: {value}" for key, value in changes.items()) or "dataflow, layer"
    return (
        f"| {name} | {what} | {packet.latency_cycles:,.0f} ({analytic.latency_cycles:,.0f}) | "
        f"{packet.timing.interval:,.0f} ({analytic.timing.interval:,.0f}) | {energy:,.0f} | {control:,} |"
    )


def main() -> int:
    """Train, convert, measure and print."""
    digits = load_digits_split()

    def converted(module: Any, **options: Any) -> Network:
        return sfnhw.convert(module, digits.train_images, labels=digits.train_labels, **options)

    cnn, vit = train_digits_cnn(), train_digits_vit()
    chip = sfnhw.load_chip("reference")
    cases: tuple[tuple[str, Network, tuple[dict[str, Any], ...], dict[str, Any]], ...] = (
        ("digits CNN", converted(cnn, thresholds=8), (LAYER, ROW, PACKED, {**ROW, **PACKED}), {}),
        ("digits ViT", converted(vit, thresholds=8), (LAYER, ROW, PACKED, {**ROW, **PACKED}), {"noc.rows": 12}),
        (
            "digits CNN, IF, T = 8",
            converted(cnn, coding="if", timesteps=8),
            (FREE_BARRIER, BARRIER, ASYNCHRONOUS, {**ASYNCHRONOUS, **ROW}),
            {},
        ),
    )
    print(
        "| network | execution | latency [cycles] (analytic) | interval [cycles] (analytic) | nJ | markers and tokens |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, network, executions, base in cases:
        activity = record_on_chip(network, chip, digits.test_images[:SAMPLES]).activity
        for changes in executions:
            print(row_of(name, network, activity, changes, base), flush=True)
    network = random_recurrent(2000, 50, 20)
    for rate in (0.02, 0.1):
        for changes in (FREE_BARRIER, BARRIER, ASYNCHRONOUS):
            spikes = random_spikes(network, 4, rate)
            print(row_of(f"random, {rate:.0%} spike", network, spikes, changes, LARGE), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
