"""explore: a grid over any fields of the chip, one row a point as it finishes, and what is worth having."""

import csv
import hashlib
import io
import itertools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip, load_chip
from sfnhw.errors import InputError, SfnhwError, Where
from sfnhw.files import replace_file, write_text
from sfnhw.network import Network
from sfnhw.reports.explore_table import setting_text
from sfnhw.reports.explore_table import table_text as table_text
from sfnhw.reports.pareto import pareto_figure, pareto_front
from sfnhw.reports.text import shortest_ends

ROWS, TABLE, RESULT = "rows.jsonl", "table.csv", "explore.json"
Row = dict[str, Any]
Progress = Callable[[str, int, int], None]


def explore(
    network: Network | str | Path,
    chip: Chip | str | Path,
    inputs: NDArray[Any],
    grid: Mapping[str, Sequence[Any]],
    folder: str | Path,
    *,
    fidelity: str = "packet",
    labels: NDArray[Any] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Estimate a network on every combination of chip fields.

    Parameters
    ----------
    grid : dotted chip field → values, e.g. ``{"noc.columns": [4, 8]}``; texts are read as YAML scalars.
    folder : gets rows.jsonl (a line as each point finishes), table.csv, explore.json, pareto.svg and pareto.png. Points
        that are already there (same network, inputs, chip and fidelity) are kept, so an interrupted run resumes.
    workers : processes (default: the machine's cores).

    Returns one row a point, in the order of the grid: the fields set, `energy_j`, `energy_low_j`, `energy_high_j` (per
    inference), `latency_s`, `throughput_inferences_per_s`, `accuracy`, `cores_used`, `area_mm2`, `on_pareto`, and
    `error` with the reason where the network does not fit.

    Raises
    ------
    InputError : an empty grid, an unknown fidelity, or a folder that cannot be written.
    ChipError : an unknown field, or a value that it cannot take.
    """
    from sfnhw.sim import FIDELITIES

    if not grid or not all(len(values) for values in grid.values()):
        raise InputError(field="grid", found=dict(grid), expected="at least one chip field with at least one value")
    if fidelity not in FIDELITIES:
        raise InputError(field="fidelity", found=fidelity, expected=f"one of {', '.join(FIDELITIES)}")
    network = network if isinstance(network, Network) else Network.load(network)
    base = chip if isinstance(chip, Chip) else load_chip(chip)
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    chips = [base.replace(point) for point in points]
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=Where(folder)) from None
    identity = _identity(network, inputs, labels, fidelity)
    keys = [f"{identity}:{c.fingerprint()}" for c in chips]
    done = _read_rows(folder / ROWS)
    todo = [i for i, key in enumerate(keys) if key not in done]
    if progress:
        progress("explore", len(points) - len(todo), len(points))
    for key, row in _estimates(
        network, inputs, labels, fidelity, [(keys[i], points[i], chips[i]) for i in todo], workers
    ):
        _append_row(folder / ROWS, {"key": key, **row})
        done[key] = row
        if progress:
            progress("explore", sum(k in done for k in keys), len(points))
    rows = [{**points[i], **{k: v for k, v in done[key].items() if k != "key"}} for i, key in enumerate(keys)]
    _mark_front(rows)
    _write_results(folder, rows, list(grid))
    return rows


def _identity(network: Network, inputs: NDArray[Any], labels: NDArray[Any] | None, fidelity: str) -> str:
    """Hash of everything but the chip that a row depends on."""
    digest = hashlib.sha256(fidelity.encode())
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
    todo: list[tuple[str, Row, Chip]],
    workers: int | None,
) -> Any:
    """Yield (key, row) as points finish. The first runs here: it compiles the kernel that the processes then load."""
    count = min(workers or os.cpu_count() or 1, max(1, len(todo) - 1))
    for key, _, chip in todo[: 1 if count > 1 else None]:
        yield key, estimate_point(network, inputs, labels, fidelity, chip)
    if count == 1:
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        waiting = {
            pool.submit(estimate_point, network, inputs, labels, fidelity, chip, 1): key for key, _, chip in todo[1:]
        }
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def estimate_point(
    network: Network,
    inputs: NDArray[Any],
    labels: NDArray[Any] | None,
    fidelity: str,
    chip: Chip,
    threads: int | None = None,
) -> Row:
    """One point: numbers, or the reason why there are none."""
    from sfnhw.chip import chip_area
    from sfnhw.estimate import estimate

    try:
        run = estimate(network, chip, inputs, labels=labels, fidelity=fidelity, baselines=(), threads=threads)
    except SfnhwError as error:
        return {"error": str(error)}
    energy = run.cost.total.as_joules(run.samples)
    return {
        "energy_j": energy["value"],
        "energy_low_j": energy["low"],
        "energy_high_j": energy["high"],
        "latency_s": run.result.latency_s,
        "throughput_inferences_per_s": run.result.throughput_inferences_per_s,
        "accuracy": run.recording.accuracy,
        "cores_used": run.mapping.cores_used,
        "area_mm2": chip_area(chip).total.value_mm2,
        "error": None,
    }


def _read_rows(path: Path) -> dict[str, Row]:
    """Return finished rows by key; a line that was torn by a crash is left out, and estimated again."""
    rows: dict[str, Row] = {}
    if not path.is_file():
        return rows
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get("key"), str) and "error" in row:
            rows[row["key"]] = row
    return rows


def _append_row(path: Path, row: Row) -> None:
    """Append one whole line and see it on the disk. A torn line before it is closed first."""
    with path.open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


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
    labelled = [{**row, "label": setting_text(row, shortest_ends(fields), fields)} for row in rows]
    figure = pareto_figure(labelled)
    for suffix in ("svg", "png"):

        def draw(beside: Path, suffix: str = suffix) -> None:
            write_image(figure, beside, suffix)

        replace_file(folder / f"pareto.{suffix}", draw)
