"""explore: a grid over any fields of the chip, one row a point as it finishes, and what is worth having."""

import csv
import io
import itertools
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from math import prod
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sfnhw.chip import Chip, load_chip
from sfnhw.errors import ChipConflictError, InputError, Interruption, SimulationError
from sfnhw.explore_points import Question, estimates
from sfnhw.explore_rows import Row, append_row, check_explore_folder, read_rows, rewrite_rows
from sfnhw.files import replace_file, write_text
from sfnhw.mapping.map_network import check_placer
from sfnhw.mapping.objectives import check_objective
from sfnhw.network import Network
from sfnhw.record import check_inputs
from sfnhw.reports.explore_table import table_text as table_text
from sfnhw.reports.explore_table import varied_fields
from sfnhw.reports.pareto import pareto_figure, pareto_front
from sfnhw.reports.text import field_text, shortest_ends

TABLE, RESULT = "table.csv", "explore.json"
MOST_POINTS = 100_000
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
    placer: str = "hilbert",
    labels: NDArray[Any] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Estimate a network on every combination of chip fields.

    Parameters
    ----------
    grid : dotted chip field → values, e.g. ``{"noc.columns": [4, 8]}``; texts are read as YAML scalars.
    folder : gets rows.jsonl (a line as each point finishes), table.csv, explore.json, pareto.svg and pareto.png. Points
        that are already there (same network, inputs, chip, fidelity, objective, placer and version of sfnhw) are kept, so an interrupted
        run goes on.
    objective : how layers are cut on every chip, and placer : how their slices are placed, as in `estimate`.
    workers : processes (default: the machine's cores).

    Returns one row a point, in the order of the grid: the fields set, `energy_j`, `energy_low_j`, `energy_high_j` (per
    inference), `latency_s`, `global_steps`, `step_s` and `barrier_share` (under a barrier, else None), `throughput_inferences_per_s`, `accuracy`, `cores_used`, `area_mm2`, `on_pareto`,
    `warnings` (what a reader of the numbers must know, or None), and `error` with the reason where the network does not fit, or
    where no chip can have these values together.

    Raises
    ------
    InputError : an empty grid or one of more than 100,000 points, a value of a field twice, an unknown fidelity, objective or placer, a folder that cannot be written
        or is not an exploration's, or no point at all that can be estimated (its reasons are in the table).
    ActivityError : inputs or labels that do not fit the network.
    Interruption : on an interrupt: what is finished is kept.
    ChipError : an unknown field, a value that it cannot take, or no point at all whose values a chip can have together.
    """
    _check_asked(grid, fidelity)
    check_objective(objective)
    check_placer(placer)
    network = network if isinstance(network, Network) else Network.load(network)
    base = chip if isinstance(chip, Chip) else load_chip(chip)
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    chips, conflicts = _chips(base, points)
    # Texts were read as YAML; from here on a value is what the chip holds.
    points = [{name: _plain(c.field(name)) for name in point} for point, c in zip(points, chips, strict=True)]
    _check_distinct(grid, points)
    check_inputs(network, inputs, labels)
    folder = check_explore_folder(Path(folder))
    question = Question(network, inputs, labels, fidelity, objective, placer)
    identity = question.identity()
    keys = [f"{identity}:{c.fingerprint()}" for c in chips]
    done = read_rows(folder)
    new = [i for i, key in enumerate(keys) if key not in done]
    refused = [(keys[i], {"error": conflicts[i]}) for i in new if i in conflicts]
    todo = [(keys[i], chips[i]) for i in new if i not in conflicts]
    _finish(_one_after_the_other(refused, estimates(question, todo, workers)), folder, keys, done, progress)
    rewrite_rows(folder, done)
    rows = [{**points[i], **{k: v for k, v in done[key].items() if k != "key"}} for i, key in enumerate(keys)]
    _mark_front(rows)
    _write_results(folder, rows, list(grid), {"fidelity": fidelity, "objective": objective, "placer": placer})
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
    refused: Sequence[tuple[str, Row]], estimated: Generator[tuple[str, Row], None, None]
) -> Generator[tuple[str, Row], None, None]:
    yield from refused
    yield from estimated


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


def _mark_front(rows: list[Row]) -> None:
    numbers = [i for i, row in enumerate(rows) if row.get("error") is None]
    front = {numbers[k] for k in pareto_front([(rows[i]["latency_s"], rows[i]["energy_j"]) for i in numbers])}
    for i, row in enumerate(rows):
        row["on_pareto"] = i in front


def _write_results(folder: Path, rows: list[Row], fields: list[str], asked: dict[str, str]) -> None:
    from sfnhw.reports.image import write_image

    columns = [*fields, *dict.fromkeys(k for row in rows for k in row if k not in fields)]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / TABLE, text.getvalue())
    write_text(
        folder / RESULT, json.dumps({**asked, "fields": fields, "points": rows}, indent=2, allow_nan=False) + "\n"
    )
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
