"""rows.jsonl of an exploration: one finished point a line, kept through crashes and by later runs."""

import json
import os
from math import isfinite
from pathlib import Path
from typing import Any

from sfnhw.errors import InputError, Where
from sfnhw.files import write_text

ROWS = "rows.jsonl"
Row = dict[str, Any]

# What the row of a point that could be estimated holds: numbers, of which accuracy may be unknown.
NUMBERS = (
    "energy_j",
    "energy_low_j",
    "energy_high_j",
    "latency_s",
    "throughput_inferences_per_s",
    "accuracy",
    "cores_used",
    "area_mm2",
)


def check_explore_folder(folder: Path) -> Path:
    """Make the folder if rows may be kept there; call it before long work.

    Raises
    ------
    InputError : a file, a run of `estimate` or other people's files in it, or it cannot be made or written.
    """
    where, expected = Where(folder), "a folder, new, empty or of an earlier exploration"
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError("is a file", where=where, expected=expected)
        folder.mkdir(parents=True, exist_ok=True)
        held = {entry.name for entry in folder.iterdir()}
        if "run.json" in held or (held and ROWS not in held):
            what = "a run of `sfnhw estimate`" if "run.json" in held else f"files but no {ROWS}"
            raise InputError(f"holds {what}, so it is left alone", where=where, expected=expected)
        if (folder / ROWS).exists() and not (folder / ROWS).is_file():
            raise InputError("is no file", where=Where(folder / ROWS), expected="the rows of an earlier exploration")
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", where=where) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError("no permission to write in it", where=where)
    return folder


def read_rows(folder: Path) -> dict[str, Row]:
    """Return finished rows by key; lines that are torn or not whole rows are left out, and estimated again."""
    path, rows = folder / ROWS, dict[str, Row]()
    if not path.is_file():
        return rows
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=Where(path)) from None
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_row(row):
            rows[row["key"]] = row
    return rows


def append_row(folder: Path, row: Row) -> None:
    """Append one whole line and see it on the disk. A torn line before it is closed first."""
    path = folder / ROWS
    try:
        with path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", where=Where(path)) from None


def rewrite_rows(folder: Path, rows: dict[str, Row]) -> None:
    """Replace the file by whole rows alone: what was torn is gone."""
    lines = [json.dumps({**row, "key": key}, allow_nan=False) + "\n" for key, row in rows.items()]
    write_text(folder / ROWS, "".join(lines))


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("key"), str) or "error" not in row:
        return False
    if row["error"] is not None:
        return isinstance(row["error"], str)
    return all(_is_number(row.get(name)) or (name == "accuracy" and row.get(name, 0) is None) for name in NUMBERS)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and isfinite(value)
