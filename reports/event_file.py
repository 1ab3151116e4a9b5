"""events.parquet: an event log with names instead of numbers, for any tool that reads Parquet, and read back with checks."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError, Where
from sfnhw.sim.event_log import COLUMNS as ORDER
from sfnhw.sim.event_log import PACKETS, EventLog
from sfnhw.sim.event_records import EVENTS

if TYPE_CHECKING:
    from sfnhw.run import Run

FORMAT = "sfnhw events 2"
# Columns that hold names, and what they may be; None: layers of the network.
NAMED: dict[str, tuple[str, ...] | None] = {
    "event": EVENTS,
    "packet": PACKETS,
    "direction": ("east", "west", "south", "north"),
    "layer": None,
    "target_layer": None,
}


@dataclass(frozen=True, eq=False)
class EventFile:
    """What stands in an events.parquet.

    Attributes
    ----------
    log : the events.
    network, chip : their names.
    cores, columns : of the chip: cores (that number in column `core` is the pins), and routers in a row.
    cores_per_router : cores of a tile.
    clock_mhz : of the cycles.
    """

    log: EventLog
    network: str
    chip: str
    cores: int
    columns: int
    cores_per_router: int
    clock_mhz: float

    @classmethod
    def of(cls, run: "Run") -> "EventFile":
        """Those of a run that was told to log them.

        Raises
        ------
        InputError : it was not.
        """
        if run.events is None:
            raise InputError("no events were logged", field="run", expected="run.with_events()")
        chip = run.chip
        return cls(
            run.events, run.network.name, chip.name, chip.cores, chip.columns, chip.noc.cores_per_router, chip.clock_mhz
        )


def arrow() -> Any:
    """Return pyarrow with its modules for Parquet and computing.

    Raises
    ------
    InputError : it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            f"event logs need the package 'pyarrow', which is not installed ({error}): pip install 'sfnhw[trace]'"
        ) from None
    return pa


def write_events(file: EventFile, path: Path) -> None:
    """Write the Parquet file; not beside and renamed: that is the caller's."""
    pa = arrow()
    columns: dict[str, Any] = {}
    for name in ORDER:
        values = file.log.columns[name]
        absent = values < 0
        if name in NAMED:
            names = NAMED[name] or file.log.layers
            codes = pa.array(np.maximum(values, 0).astype(np.int32), mask=absent)
            columns[name] = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))
        else:
            columns[name] = pa.array(values, pa.int64(), mask=absent)
    about = {
        "format": FORMAT,
        "network": file.network,
        "chip": file.chip,
        "sample": file.log.sample,
        "events_in_all": file.log.events_in_all,
        "cores": file.cores,
        "router_columns": file.columns,
        "cores_per_router": file.cores_per_router,
        "clock_mhz": file.clock_mhz,
        "only": json.dumps(file.log.only),
    }
    table = pa.table(columns).replace_schema_metadata({f"sfnhw.{key}": str(value) for key, value in about.items()})
    pa.parquet.write_table(table, path, compression="zstd")


def read_events(path: str | Path) -> EventFile:
    """Read the file back.

    Raises
    ------
    InputError : no such file, not Parquet, not an event log, or a column that is missing or holds what it cannot.
    """
    pa = arrow()
    path = Path(path)
    where = Where(path)
    if not path.is_file():
        raise InputError("no such file", where=where, expected="an event log, as `sfnhw estimate --events` writes it")
    try:
        table = pa.parquet.read_table(path)
    except (OSError, pa.ArrowException):
        expected = "an event log, as `sfnhw estimate --events` writes it"
        raise InputError("not a Parquet file, or cut short", where=where, expected=expected) from None
    about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if about.get("sfnhw.format") != FORMAT:
        raise InputError(
            "not an event log of this version",
            where=where,
            field="format",
            found=about.get("sfnhw.format"),
            expected=repr(FORMAT),
        )
    if table.num_rows == 0:
        raise InputError("no events in it", where=where, expected="one at least")
    layers = tuple(dict.fromkeys(_dictionary(table, "layer", where) + _dictionary(table, "target_layer", where)))
    columns = {name: _numbers(table, name, NAMED.get(name, ()) or layers, where) for name in ORDER}
    try:
        return EventFile(
            EventLog(
                int(about["sfnhw.sample"]), int(about["sfnhw.events_in_all"]), layers, columns, _only(about, where)
            ),
            about["sfnhw.network"],
            about["sfnhw.chip"],
            int(about["sfnhw.cores"]),
            int(about["sfnhw.router_columns"]),
            int(about["sfnhw.cores_per_router"]),
            float(about["sfnhw.clock_mhz"]),
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"its header is damaged ({error})", where=where, expected="an event log") from None


def _only(about: dict[str, str], where: Where) -> tuple[str, ...] | None:
    """Layers that the log is of, or None for all; logs of before this was kept say nothing."""
    text = about.get("sfnhw.only", "null")
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = text
    if names is None:
        return None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(where=where, field="only", found=text, expected="a list of layers, or null")
    return tuple(names)


def _dictionary(table: Any, name: str, where: Where) -> tuple[str, ...]:
    """Names of a column of names, in its own order."""
    if name not in table.column_names:
        raise InputError("missing", where=where, field=name, expected=f"the columns {', '.join(ORDER)}")
    column = table.column(name).combine_chunks()
    if not hasattr(column, "dictionary"):
        raise InputError(where=where, field=name, found=str(column.type), expected="a dictionary of texts")
    return tuple(str(value) for value in column.dictionary.to_pylist())


def _numbers(table: Any, name: str, names: tuple[str, ...], where: Where) -> NDArray[np.int64]:
    if name in NAMED:
        here = _dictionary(table, name, where)
        unknown = set(here) - set(names)
        if unknown:
            raise InputError(where=where, field=name, found=sorted(unknown)[0], expected=f"one of {', '.join(names)}")
        codes = table.column(name).combine_chunks().indices.fill_null(-1).to_numpy(zero_copy_only=False)
        place = np.array([*(names.index(value) for value in here), -1], np.int64)
        return np.asarray(place[codes])
    if name not in table.column_names:
        raise InputError("missing", where=where, field=name, expected=f"the columns {', '.join(ORDER)}")
    column = table.column(name).combine_chunks()
    if str(column.type) != "int64":
        raise InputError(where=where, field=name, found=str(column.type), expected="int64")
    return np.asarray(column.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
