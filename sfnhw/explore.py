"""explore: a grid over any fields of the chip, one row a point as it finishes, and what is worth having."""

import csv
import hashlib
import io
import itertools
import json
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip, load_chip
from sfnhw.errors import ChipConflictError, InputError, Interruption, SfnhwError, SimulationError
from sfnhw.explore_rows import Row, append_row, check_explore_folder, read_rows, rewrite_rows
from sfnhw.files import replace_file, write_text
from sfnhw.mapping.objectives import check_objective
from sfnhw.network import Network
from sfnhw.record import check_inputs
from sfnhw.reports.explore_table import table_text as table_text
from sfnhw.reports.explore_table import varied_fields
from sfnhw.reports.pareto import pareto_figure, pareto_front
from sfnhw.reports.text import field_text, shortest_ends
from sfnhw.run import Run
from sfnhw.workers import workers as worker_processes

TABLE, RESULT = "table.csv", "explore.json"
MOST_POINTS = 100_000
TOGETHER = 64  # points of one mapping that are estimated, and then kept, at once
Progress = Callable[[str, int, int], None]


def explore(
    network: Network | str | Path,
    chip: Chip | str | Path,
    inputs: NDArray[Any],
    grid: Mapping[str, Sequence[Any]],
    folder: str | Path,
    *,
    fidelity: str = "packet",
    objective: str = "cores",
    labels: NDArray[Any] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Estimate a network on every combination of chip fields.

    Parameters
    ----------
    grid : dotted chip field → values, e.g. ``{"noc.columns": [4, 8]}``; texts are read as YAML scalars.
    folder : gets rows.jsonl (a line as each point finishes), table.csv, explore.json, pareto.svg and pareto.png. Points
        that are already there (same network, inputs, chip, fidelity and version of sfnhw) are kept, so an interrupted
        run goes on.
    objective : how layers are cut on every chip, as in `estimate`.
    workers : processes (default: the machine's cores).

    Returns one row a point, in the order of the grid: the fields set, `energy_j`, `energy_low_j`, `energy_high_j` (per
    inference), `latency_s`, `global_steps`, `step_s` and `barrier_share` (under a barrier, else None), `throughput_inferences_per_s`, `accuracy`, `cores_used`, `area_mm2`, `on_pareto`,
    `warnings` (what a reader of the numbers must know, or None), and `error` with the reason where the network does not fit, or
    where no chip can have these values together.

    Raises
    ------
    InputError : an empty grid or one of more than 100,000 points, a value of a field twice, an unknown fidelity or objective, a folder that cannot be written
        or is not an exploration's, or no point at all that can be estimated (its reasons are in the table).
    ActivityError : inputs or labels that do not fit the network.
    Interruption : on an interrupt: what is finished is kept.
    ChipError : an unknown field, a value that it cannot take, or no point at all whose values a chip can have together.
    """
    _check_asked(grid, fidelity)
    check_objective(objective)
    network = network if isinstance(network, Network) else Network.load(network)
    base = chip if isinstance(chip, Chip) else load_chip(chip)
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    chips, conflicts = _chips(base, points)
    # Texts were read as YAML; from here on a value is what the chip holds.
    points = [{name: _plain(c.field(name)) for name in point} for point, c in zip(points, chips, strict=True)]
    _check_distinct(grid, points)
    check_inputs(network, inputs, labels)
    folder = check_explore_folder(Path(folder))
    identity = _identity(network, inputs, labels, fidelity, objective)
    keys = [f"{identity}:{c.fingerprint()}" for c in chips]
    done = read_rows(folder)
    new = [i for i, key in enumerate(keys) if key not in done]
    refused = [(keys[i], {"error": conflicts[i]}) for i in new if i in conflicts]
    todo = [(keys[i], chips[i]) for i in new if i not in conflicts]
    estimates = _estimates(network, inputs, labels, fidelity, objective, todo, workers)
    _finish(_one_after_the_other(refused, estimates), folder, keys, done, progress)
    rewrite_rows(folder, done)
    rows = [{**points[i], **{k: v for k, v in done[key].items() if k != "key"}} for i, key in enumerate(keys)]
    _mark_front(rows)
    _write_results(folder, rows, list(grid))
    if all(row["error"] is not None for row in rows):
        raise InputError(
            f"none of {len(rows)} points could be estimated ({rows[0]['error']}); all reasons are in {folder / TABLE}",
            field="grid",
        )
    return rows


def _check_asked(grid: Mapping[str, Sequence[Any]], fidelity: str) -> None:
    """Raise InputError for a grid or a fidelity that cannot be had."""
    from sfnhw.sim import FIDELITIES

    if not grid or not all(len(values) for values in grid.values()):
        raise InputError(field="grid", found=dict(grid), expected="at least one chip field with at least one value")
    points_asked = prod(len(values) for values in grid.values())
    if points_asked > MOST_POINTS:
        raise InputError(field="grid", found=points_asked, expected=f"at most {MOST_POINTS:,} points")
    if fidelity not in FIDELITIES:
        raise InputError(field="fidelity", found=fidelity, expected=f"one of {', '.join(FIDELITIES)}")


def _chips(base: Chip, points: Sequence[Row]) -> tuple[list[Chip], dict[int, str]]:
    """Return the chip of each point, and why those that cannot be cannot: number of the point → sentence.

    Raises ChipError for a field or a value that no combination makes good, and where no point is left.
    """
    chips: list[Chip] = []
    conflicts: dict[int, ChipConflictError] = {}
    for i, point in enumerate(points):
        try:
            chips.append(base.replace(point))
        except ChipConflictError as conflict:
            chips.append(conflict.chip)
            conflicts[i] = conflict
    if len(conflicts) == len(points):
        raise conflicts[0]
    return chips, {i: str(conflict) for i, conflict in conflicts.items()}


def _one_after_the_other(
    refused: Sequence[tuple[str, Row]], estimates: Generator[tuple[str, Row], None, None]
) -> Generator[tuple[str, Row], None, None]:
    yield from refused
    yield from estimates


def _check_distinct(grid: Mapping[str, Sequence[Any]], points: Sequence[Row]) -> None:
    """Raise InputError where two values of a field are the same to the chip; points: in the order of the grid."""
    apart = len(points)
    for name, values in grid.items():
        apart //= len(values)  # points from one value of the field to the next
        held = [points[k * apart][name] for k in range(len(values))]
        for k, value in enumerate(held):
            if value in held[:k]:
                raise InputError("the same value twice", field=name, found=value, expected="each value once")


def _finish(
    finished: Generator[tuple[str, Row], None, None],
    folder: Path,
    keys: list[str],
    done: dict[str, Row],
    progress: Progress | None,
) -> None:
    """Take in the points as they finish: each is a line in the folder at once, and a row of `done`."""

    def tell() -> None:
        if progress:
            progress("explore", sum(key in done for key in keys), len(keys))

    try:
        tell()
        for key, row in finished:
            append_row(folder, {"key": key, **row})
            done[key] = row
            tell()
    except KeyboardInterrupt:  # it may have come between the line in the folder and the row of `done`
        kept = read_rows(folder)
        raise Interruption(
            f"{sum(key in kept for key in keys)} of {len(keys)} points are kept in {folder}; the same command again goes on from there"
        ) from None
    except BrokenProcessPool:
        raise SimulationError(
            "a worker process was ended from outside (out of memory?); what is finished is kept",
            field="workers",
            expected="fewer workers",
        ) from None
    finally:
        finished.close()


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _identity(
    network: Network, inputs: NDArray[Any], labels: NDArray[Any] | None, fidelity: str, objective: str
) -> str:
    """Hash of everything but the chip that a row depends on."""
    from sfnhw import __version__

    digest = hashlib.sha256(f"{__version__} {fidelity}".encode())
    digest.update(b"" if objective == "cores" else objective.encode())
    for p in network.populations:
        digest.update(json.dumps(p.config(), sort_keys=True).encode())
        for array in (p.scale, p.bias):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    for q in network.projections:
        digest.update(json.dumps(q.config(), sort_keys=True).encode())
        for name, array in sorted(q.tensors().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    for array in (inputs, labels):
        if array is not None:
            array = np.ascontiguousarray(array)
            digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:32]


def _estimates(
    network: Network,
    inputs: NDArray[Any],
    labels: NDArray[Any] | None,
    fidelity: str,
    objective: str,
    todo: list[tuple[str, Chip]],
    workers: int | None,
) -> Generator[tuple[str, Row], None, None]:
    """Yield (key, row) as points finish. The first runs here: it compiles the kernel that the processes then load."""
    chips = dict(todo)
    groups = _groups(chips, fidelity, objective, workers or os.cpu_count() or 1)
    count = min(workers or os.cpu_count() or 1, max(1, len(groups) - 1))
    for keys in groups[: 1 if count > 1 else None]:
        mine = [chips[key] for key in keys]
        yield from zip(keys, estimate_points(network, inputs, labels, fidelity, objective, mine), strict=True)
    if count == 1:
        return
    with worker_processes(count) as pool:
        waiting = {
            pool.submit(
                estimate_points, network, inputs, labels, fidelity, objective, [chips[key] for key in keys], 1
            ): keys
            for keys in groups[1:]
        }
        for future in as_completed(waiting):
            yield from zip(waiting[future], future.result(), strict=True)


def _groups(chips: dict[str, Chip], fidelity: str, objective: str, workers: int) -> list[list[str]]:
    """Points that are estimated together: at fidelity ``analytic`` those that share a mapping, some at a time.

    Where layers are cut for time or energy the mapping may follow any field, and every point is by itself.
    """
    if fidelity != "analytic" or objective != "cores":
        return [[key] for key in chips]
    from sfnhw.sim.clockwork import shared_fields

    alike: dict[str, list[str]] = {}
    for key, chip in chips.items():
        alike.setdefault(json.dumps(shared_fields(chip), default=str), []).append(key)
    # Each worker has work, and what an interrupt loses is little.
    most = max(1, min(TOGETHER, -(-len(chips) // workers)))
    return [keys[low : low + most] for keys in alike.values() for low in range(0, len(keys), most)]


def estimate_points(
    network: Network,
    inputs: NDArray[Any],
    labels: NDArray[Any] | None,
    fidelity: str,
    objective: str,
    chips: Sequence[Chip],
    threads: int | None = None,
) -> list[Row]:
    """Rows of chips that share a mapping: it is made once, and times and energies found for all of them together."""
    one_by_one = (estimate_point(network, inputs, labels, fidelity, objective, chip, threads) for chip in chips)
    if len(chips) == 1:
        return list(one_by_one)
    from sfnhw.estimate import estimate
    from sfnhw.sim import analytic_sweep, price

    try:
        first = estimate(network, chips[0], inputs, labels=labels, fidelity=fidelity, baselines=(), threads=threads)
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
    network: Network,
    inputs: NDArray[Any],
    labels: NDArray[Any] | None,
    fidelity: str,
    objective: str,
    chip: Chip,
    threads: int | None = None,
) -> Row:
    """One point: numbers, or the reason why there are none."""
    from sfnhw.estimate import estimate

    try:
        run = estimate(
            network,
            chip,
            inputs,
            labels=labels,
            fidelity=fidelity,
            objective=objective,
            baselines=(),
            threads=threads,
        )
    except SfnhwError as error:
        return {"error": str(error)}
    return _row(run)


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


def _mark_front(rows: list[Row]) -> None:
    numbers = [i for i, row in enumerate(rows) if row.get("error") is None]
    front = {numbers[k] for k in pareto_front([(rows[i]["latency_s"], rows[i]["energy_j"]) for i in numbers])}
    for i, row in enumerate(rows):
        row["on_pareto"] = i in front


def _write_results(folder: Path, rows: list[Row], fields: list[str]) -> None:
    from sfnhw.reports.image import write_image

    columns = [*fields, *dict.fromkeys(k for row in rows for k in row if k not in fields)]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / TABLE, text.getvalue())
    write_text(folder / RESULT, json.dumps({"fields": fields, "points": rows}, indent=2, allow_nan=False) + "\n")
    varied = varied_fields(rows, fields)
    short = dict(zip(fields, shortest_ends(fields), strict=True))
    labelled = [{**row, "label": ", ".join(field_text(row[field]) for field in varied)} for row in rows]
    images = ("svg", "png")
    if all(row["error"] is not None for row in rows):  # nothing to draw, and an earlier figure would be wrong
        for suffix in images:
            (folder / f"pareto.{suffix}").unlink(missing_ok=True)
        return
    figure = pareto_figure(labelled, ", ".join(short[field] for field in varied))
    for suffix in images:

        def draw(beside: Path, suffix: str = suffix) -> None:
            write_image(figure, beside, suffix)

        replace_file(folder / f"pareto.{suffix}", draw)
