"""Samples back to back: the interval of those chosen (`sfnhw.sim.following`) beside that of all; a table of docs/execution.md."""

from typing import Any

import numpy as np

import sfnhw
from benchmarks.execution import ASYNCHRONOUS, BARRIER, LAYER, ROW
from sfnhw.digits import load_digits_split, train_digits_cnn, train_digits_vit
from sfnhw.mapping import map_network
from sfnhw.record import record_on_chip
from sfnhw.sim import simulate
from sfnhw.sim.channel_order import order_channels
from sfnhw.sim.following import Following
from sfnhw.sim.packed import pack
from sfnhw.sim.stream import stream_interval
from sfnhw.sim.tables import sent_neurons


def main() -> int:
    """Train, convert, measure and print: all 360 test images in random order, and those chosen."""
    digits, chip = load_digits_split(), sfnhw.load_chip("reference")
    cnn, vit = train_digits_cnn(), train_digits_vit()
    cases: tuple[tuple[str, Any, dict[str, Any], dict[str, Any]], ...] = (
        ("digits CNN", cnn, {"thresholds": 8}, LAYER),
        ("digits CNN, rows", cnn, {"thresholds": 8}, ROW),
        ("digits ViT", vit, {"thresholds": 8}, {"noc.rows": 12}),
        ("digits CNN, IF, T = 8, asynchronous", cnn, {"coding": "if", "timesteps": 8}, ASYNCHRONOUS),
        ("digits CNN, IF, T = 8, barrier", cnn, {"coding": "if", "timesteps": 8}, BARRIER),
    )
    print("| network | all, cycles | chosen | of it |\n| --- | --- | --- | --- |")
    for name, module, how, changes in cases:
        network = sfnhw.convert(module, digits.train_images, labels=digits.train_labels, **how)
        activity = record_on_chip(network, chip, digits.test_images).activity
        mapping = map_network(network, chip.replace(changes))
        result = simulate(mapping, activity, threads=1)
        tables, timing = result.tables, result.timing
        shuffled = Following(np.random.default_rng(0).permutation(result.samples), 1)
        channels = order_channels(tables)
        sent = sent_neurons(mapping, activity)
        every = stream_interval(tables, pack(tables), sent, shuffled, channels=channels).interval
        print(f"| {name} | {every:,.0f} | {timing.streamed} | {timing.interval / every - 1:+.1%} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
