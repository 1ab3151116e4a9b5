"""What the examples share after conversion: the chip's outputs by name, and the lines they print."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import sfnhw
from sfnhw.reports.text import band, quantity


def on_chip(
    network: sfnhw.Network, chip: sfnhw.Chip, inputs: NDArray[np.float32], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the outputs in the chip's integers, as (samples, *shape) by the names the module gives them, in its order."""
    recording = sfnhw.record(
        network, inputs, numerics=chip.numerics, threshold_sharing=chip.core.threshold_unit.sharing
    )
    ends = np.cumsum([p.size for p in network.outputs])
    parts = np.split(recording.outputs, ends[:-1], axis=1)
    shapes = [p.shape for p in network.outputs]
    return {name: part.reshape(-1, *shape) for name, part, shape in zip(names, parts, shapes, strict=True)}


def cost_lines(run: sfnhw.Run, each: str = "inference") -> list[str]:
    """Return energy with its band, latency and cores, in at most 80 columns."""
    json = run.as_json()
    return [
        f"energy     {band(json['energy_per_inference_j'])} an {each}",
        f"latency    {quantity(json['latency_s'], 's')}, {json['throughput_inferences_per_s']:,.0f} a second pipelined",
        f"cores      {json['cores_used']} of {json['cores_available']}",
    ]


def show(lines: Sequence[str], run: sfnhw.Run, folder: str | None) -> None:
    """Print the lines and the cost, and write the run folder if one is given."""
    print("\n".join([*lines, *cost_lines(run)]))
    if folder:
        print(f"report     {run.save(folder) / 'report.html'}")
