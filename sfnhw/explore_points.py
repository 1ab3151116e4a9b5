"""The points of an exploration: what is asked of each chip, and each answer as a row."""

import hashlib
import json
import os
from collections.abc import Generator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.errors import SfnhwError
from sfnhw.explore_rows import Row
from sfnhw.network import Network
from sfnhw.run import Run
from sfnhw.workers import workers as worker_processes

TOGETHER = 64  # points of one mapping that are estimated, and then kept, at once


@dataclass(frozen=True, eq=False)
class Question:
    """Everything but the chip that a row depends on; see `sfnhw.explore.explore`."""

    network: Network
    inputs: NDArray[Any]
    labels: NDArray[Any] | None
    fidelity: str
    objective: str
    placer: str

    def identity(self) -> str:
        """Return a hash of it and of the version of sfnhw."""
        from sfnhw import __version__

        digest = hashlib.sha256(f"{__version__} {self.fidelity}".encode())
        digest.update(b"" if self.objective == "cores" else self.objective.encode())
        digest.update(b"" if self.placer == "hilbert" else f"placed by {self.placer}".encode())
        for p in self.network.populations:
            digest.update(json.dumps(p.config(), sort_keys=True).encode())
            for array in (p.scale, p.bias):
                digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        for q in self.network.projections:
            digest.update(json.dumps(q.config(), sort_keys=True).encode())
            for name, array in sorted(q.tensors().items()):
                digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        for array in (self.inputs, self.labels):
            if array is not None:
                array = np.ascontiguousarray(array)
                digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        return digest.hexdigest()[:32]


def estimates(
    question: Question,
    todo: list[tuple[str, Chip]],
    workers: int | None,
) -> Generator[tuple[str, Row], None, None]:
    """Yield (key, row) as points finish. The first runs here: it compiles the kernel that the processes then load."""
    chips = dict(todo)
    groups = _groups(chips, question, workers or os.cpu_count() or 1)
    count = min(workers or os.cpu_count() or 1, max(1, len(groups) - 1))
    for keys in groups[: 1 if count > 1 else None]:
        mine = [chips[key] for key in keys]
        yield from zip(keys, estimate_points(question, mine), strict=True)
    if count == 1:
        return
    with worker_processes(count) as pool:
        waiting = {pool.submit(estimate_points, question, [chips[key] for key in keys], 1): keys for keys in groups[1:]}
        for future in as_completed(waiting):
            yield from zip(waiting[future], future.result(), strict=True)


def _groups(chips: dict[str, Chip], question: Question, workers: int) -> list[list[str]]:
    """Points that are estimated together: at fidelity ``analytic`` those that share a mapping, some at a time.

    Where layers are cut for time or energy the mapping may follow any field, and every point is by itself.
    """
    if question.fidelity != "analytic" or question.objective != "cores":
        return [[key] for key in chips]
    from sfnhw.sim.clockwork import shared_fields

    alike: dict[str, list[str]] = {}
    for key, chip in chips.items():
        alike.setdefault(json.dumps(shared_fields(chip), default=str), []).append(key)
    # Each worker has work, and what an interrupt loses is little.
    most = max(1, min(TOGETHER, -(-len(chips) // workers)))
    return [keys[low : low + most] for keys in alike.values() for low in range(0, len(keys), most)]


def estimate_points(
    question: Question,
    chips: Sequence[Chip],
    threads: int | None = None,
) -> list[Row]:
    """Rows of chips that share a mapping: it is made once, and times and energies found for all of them together."""
    one_by_one = (estimate_point(question, chip, threads) for chip in chips)
    if len(chips) == 1:
        return list(one_by_one)
    from sfnhw.sim import analytic_sweep, price

    try:
        first = _run(question, chips[0], threads)
        results = analytic_sweep(first.mapping, first.recording.activity, chips)
        of_first = (*first.result.warnings, *first.chip.technology_warnings)
        shared = [text for text in first.warnings if text not in of_first]
        return [
            _row(
                replace(
                    first,
                    chip=chip,
                    mapping=result.mapping,
                    result=result,
                    cost=price(result),
                    warnings=(*shared, *result.warnings, *chip.technology_warnings),
                )
            )
            for chip, result in zip(chips, results, strict=True)
        ]
    except SfnhwError:  # what is wrong with one of them need not be with the others
        return list(one_by_one)


def estimate_point(
    question: Question,
    chip: Chip,
    threads: int | None = None,
) -> Row:
    """One point: numbers, or the reason why there are none."""
    try:
        run = _run(question, chip, threads)
    except SfnhwError as error:
        return {"error": str(error)}
    return _row(run)


def _run(question: Question, chip: Chip, threads: int | None) -> Run:
    from sfnhw.estimate import estimate

    return estimate(
        question.network,
        chip,
        question.inputs,
        labels=question.labels,
        fidelity=question.fidelity,
        placer=question.placer,
        objective=question.objective,
        baselines=(),
        threads=threads,
    )


def _row(run: Run) -> Row:
    """Return the numbers of a point."""
    from sfnhw.chip import chip_area

    energy = run.cost.total.as_joules(run.samples)
    return {
        "energy_j": energy["value"],
        "energy_low_j": energy["low"],
        "energy_high_j": energy["high"],
        "latency_s": run.result.latency_s,
        **_steps(run),
        "throughput_inferences_per_s": run.result.throughput_inferences_per_s,
        "accuracy": run.recording.accuracy,
        "cores_used": run.mapping.cores_used,
        "area_mm2": chip_area(run.chip).total.value_mm2,
        "warnings": "; ".join(run.warnings) or None,
        "error": None,
    }


def _steps(run: Run) -> Row:
    """Return a point's global steps, and what they take; None where nothing waits for a barrier."""
    from sfnhw.reports.global_steps import global_steps

    found = global_steps(run) or dict.fromkeys(("number", "step_s", "barrier_share"))
    return {"global_steps": found["number"], "step_s": found["step_s"], "barrier_share": found["barrier_share"]}
