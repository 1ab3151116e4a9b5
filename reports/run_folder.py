"""The run folder: written whole or not at all, and read back with checks."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sfnhw.errors import InputError, Where, nearest
from sfnhw.files import replace_file, write_text
from sfnhw.reports.event_file import EventFile, write_events
from sfnhw.reports.run_json import SCHEMA_VERSION
from sfnhw.reports.view import RunView, as_view
from sfnhw.run import Run

RUN_JSON, PAGE, FIGURE_FOLDER, EVENT_FILE = "run.json", "report.html", "figures", "events.parquet"
TABLES = ("cores", "links", "actions", "layers", "packets")
SUFFIXES = ("svg", "png", "pdf")
OWN = {RUN_JSON, PAGE, FIGURE_FOLDER, EVENT_FILE, *(f"{name}.npz" for name in TABLES)}
# Keys without which nothing can be drawn: what a run.json of this version must have.
REQUIRED = (
    "energy_per_inference_j",
    "latency_s",
    "throughput_inferences_per_s",
    "power_w",
    "energy_delay_product_js",
    "back_to_back",
    "bottleneck",
    "ann_accuracy",
    "ann_accuracy_on_calibration",
    "energy_by_action_j",
    "energy_by_layer_j",
    "energy_by_layer_and_action_j",
    "layers",
    "actions",
    "occupancy",
    "overhead",
    "comparison",
    "area_and_leakage",
    "energy_bands_j",
    "neurobench",
    "paper_estimates",
    "uncertainty",
    "baselines_skipped",
    "coverage",
    "warnings",
    "chip",
    "network",
    "provenance",
)


def check_output_folder(folder: str | Path) -> Path:
    """Return the folder as a path if a run may be saved there; call it before long work.

    Raises
    ------
    InputError : it is a file, cannot be written, or holds files but no run.json (it is not ours to replace).
    """
    folder = Path(folder)
    try:
        return _checked_folder(folder)
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise InputError(f"cannot be written ({error.strerror or error})", where=Where(folder)) from None


def _checked_folder(folder: Path) -> Path:
    _beside(folder.resolve(), "new").exists()  # raises where the name is too long
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", where=Where(folder), expected="a folder, new, empty or of an earlier run")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RUN_JSON).is_file():
        raise InputError(
            "holds files but no run.json, so it is not a run folder and is left alone",
            where=Where(folder),
            expected="a folder, new, empty or of an earlier run",
        )
    above = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError("cannot be written", where=Where(above), expected="a folder that you may write to")
    return folder


def save_run(run: "Run | RunView", folder: str | Path) -> Path:
    """Write run.json, tables (npz), figures (SVG and PNG), report.html, and events.parquet if any were logged.

    Returns the folder.

    Everything is written to a folder beside it, which then takes its place. Other files in an earlier run's folder are
    kept.

    Raises
    ------
    InputError : see `check_output_folder`; or the disk is full.
    """
    _clear_crashes(Path(folder))
    named = check_output_folder(folder)
    folder = named.resolve()  # `.` has no name of its own, and a link stays a link
    view = as_view(run)
    beside = _beside(folder, "new")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        _write(view, beside)
        if isinstance(run, Run) and run.events is not None:
            write_events(EventFile.of(run), beside / EVENT_FILE)
        _swap(beside, folder)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", where=Where(folder)) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return named


def _beside(folder: Path, what: str) -> Path:
    """Return the name of what this process puts beside `folder` for a while."""
    return folder.with_name(f".{folder.name}.{os.getpid()}.{what}")


def _clear_crashes(folder: Path) -> None:
    """Remove what processes that were killed while saving left beside `folder`; put back what they had moved away."""
    try:
        folder = folder.resolve()
        left = [p for p in folder.parent.iterdir() if p.name.startswith(f".{folder.name}.")]
    except OSError:
        return
    for path in left:
        pid, _, what = path.name.removeprefix(f".{folder.name}.").partition(".")
        if what not in ("new", "old") or not pid.isdecimal() or _is_alive(int(pid)):
            continue
        if what == "old" and not folder.exists():
            path.rename(folder)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's process
        return True
    return True


def load_run_json(folder: str | Path) -> dict[str, Any]:
    """Read a folder's run.json.

    Raises
    ------
    InputError : no such folder or file, a file in its place, not JSON, not a run, or another schema version.
    """
    folder = Path(folder)
    path = folder / RUN_JSON
    _check_folder(folder)
    if not path.is_file():
        raise InputError(
            "no run.json in it", where=Where(folder), expected="a run folder, as `sfnhw estimate -o` writes it"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON, or cut short ({error.msg})",
            where=Where(path, error.lineno, error.colno),
            expected="a whole run.json",
        ) from None
    except (UnicodeDecodeError, OSError, RecursionError) as error:
        raise InputError(f"cannot be read ({type(error).__name__})", where=Where(path), expected="a run.json") from None
    if not isinstance(data, dict) or "schema_version" not in data:
        raise InputError(
            "not a run: no schema_version", where=Where(path), field="schema_version", expected=str(SCHEMA_VERSION)
        )
    if data["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            "written by another version of sfnhw",
            where=Where(path),
            field="schema_version",
            found=data["schema_version"],
            expected=str(SCHEMA_VERSION),
        )
    for key in REQUIRED:
        if key not in data:
            raise InputError("missing", where=Where(path), field=key, expected="every key of schema version 1")
    return data


def _check_folder(folder: Path) -> None:
    """Raise InputError where there is no such folder: what there is instead, and whether a run folder is around it."""
    expected = "a run folder, as `sfnhw estimate -o` writes it"
    if folder.is_dir():
        return
    if not folder.exists():
        raise InputError("no such folder", where=Where(folder), expected=expected)
    if (folder.parent / RUN_JSON).is_file():
        expected = f"the run folder that it is in, {folder.parent}"
    raise InputError("is a file, not a folder", where=Where(folder), expected=expected)


def load_view(folder: str | Path) -> RunView:
    """Read a run folder: what figures and the page are drawn from.

    Raises
    ------
    InputError : see `load_run_json`; or a table that is missing or cannot be read.
    """
    folder = Path(folder)
    data = load_run_json(folder)
    tables = {}
    for name in TABLES:
        path = folder / f"{name}.npz"
        if name == "packets" and not path.is_file():
            continue
        try:
            with np.load(path, allow_pickle=False) as columns:
                tables[name] = {key: columns[key] for key in columns.files}
        except FileNotFoundError:
            raise InputError("missing", where=Where(path), expected="a table of the run folder") from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise InputError(
                "cannot be read", where=Where(path), expected="an npz table, as `save_run` writes it"
            ) from None
    return RunView(data, tables)


def plot(folder: str | Path, name: str, output: str | Path) -> Path:
    """Draw one figure of a saved run to a file: SVG, PNG or PDF by its suffix.

    Raises
    ------
    InputError : unknown figure or suffix (with the nearest), a figure that this run has no data for, or a bad folder.
    """
    from sfnhw.reports.figures import FIGURES, figure
    from sfnhw.reports.image import write_image

    if name not in FIGURES:
        names = sorted(FIGURES)
        raise InputError(field="figure", found=name, expected=f"one of {', '.join(names)}{nearest(name, names)}")
    output = Path(output)
    suffix = output.suffix.lower().lstrip(".")
    if suffix not in SUFFIXES:
        raise InputError(
            field="output",
            found=str(output),
            expected=f"a name ending in .{', .'.join(SUFFIXES)}{nearest(suffix, SUFFIXES)}",
        )
    drawn = figure(name, load_view(folder))
    return replace_file(output, lambda beside: write_image(drawn, beside, suffix))


def rebuild_page(folder: str | Path) -> Path:
    """Write report.html of a saved run again; return its path.

    Raises
    ------
    InputError : see `load_view`.
    """
    from sfnhw.reports.page import page

    return write_text(Path(folder) / PAGE, page(load_view(folder)))


def _write(view: RunView, folder: Path) -> None:
    from sfnhw.reports.figures import available, figure
    from sfnhw.reports.image import to_svg, write_image
    from sfnhw.reports.page import page

    text = json.dumps(view.json, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / RUN_JSON).write_text(text + "\n", encoding="utf-8")
    for name, table in view.tables.items():
        np.savez_compressed(folder / f"{name}.npz", **table)  # type: ignore[arg-type]
    (folder / FIGURE_FOLDER).mkdir()
    svgs = {}
    for name in available(view):
        drawn = figure(name, view)
        svgs[name] = to_svg(drawn)
        (folder / FIGURE_FOLDER / f"{name}.svg").write_text(svgs[name], encoding="utf-8")
        write_image(drawn, folder / FIGURE_FOLDER / f"{name}.png", "png")
    (folder / PAGE).write_text(page(view, svgs), encoding="utf-8")


def _swap(new: Path, folder: Path) -> None:
    """Put `new` in the place of `folder`; at every moment one of the two is whole.

    A folder that somebody stands in (`-o .`), or that is empty, stays where it is and is filled, run.json last.
    """
    if not folder.is_dir():
        new.rename(folder)
        return
    if folder == Path.cwd() or folder in Path.cwd().parents or not any(folder.iterdir()):
        _fill(new, folder)
        return
    for entry in folder.iterdir():
        if entry.name not in OWN:
            copy = shutil.copytree if entry.is_dir() else shutil.copy2
            copy(entry, new / entry.name)
    old = _beside(folder, "old")
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _fill(new: Path, folder: Path) -> None:
    """Move everything from `new` into `folder`. Until run.json is there it is no run folder."""
    for name in (RUN_JSON, *sorted(OWN - {RUN_JSON})):
        there = folder / name
        if there.is_dir():
            shutil.rmtree(there)
        else:
            there.unlink(missing_ok=True)
    for entry in sorted(new.iterdir(), key=lambda entry: entry.name == RUN_JSON):
        entry.rename(folder / entry.name)
