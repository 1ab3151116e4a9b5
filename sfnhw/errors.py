"""The one family of errors. Every message is one sentence: where, what was found, what was expected."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any


class SfnhwError(Exception):
    """Any error whose cause is the user's input; the command line prints it and exits with 2."""

    exit_code = 2


class Interruption(KeyboardInterrupt):
    """The user's interrupt, with what was kept."""


@dataclass(frozen=True)
class Where:
    """A place in a user's file. Lines and columns count from 1."""

    file: str | Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class InputError(SfnhwError, ValueError):
    """A file or an argument that cannot be used.

    Parameters
    ----------
    message : what is wrong, a sentence without its full stop.
    where : the place in a file, where there is one.
    field : dotted name of the field or argument.
    found, expected : what stood there, and what may stand there.
    """

    def __init__(
        self,
        message: str = "",
        *,
        where: Where | None = None,
        field: str | None = None,
        found: Any = None,
        expected: str | None = None,
    ) -> None:
        self.where, self.field, self.found, self.expected = where, field, found, expected
        parts = [message] if message else []
        if found is not None:
            parts.append(f"found {shorten(found)}")
        if expected is not None:
            parts.append(f"expected {expected}")
        text = ": ".join(part for part in (field, ", ".join(parts)) if part)
        super().__init__(f"{where}: {text}" if where else text)


class NetworkError(InputError):
    """A network that is inconsistent, or a network file that cannot be read."""


class ConversionError(InputError):
    """A module that cannot be converted: names the module path, the operation and what to do."""


class ChipError(InputError):
    """A chip description that cannot be used."""


class ChipConflictError(ChipError):
    """Fields of a chip that are each valid, and that cannot be together; `chip` is the chip that cannot be."""

    chip: Any = None


class ActivityError(InputError):
    """Inputs or activity that do not fit the network."""


class SimulationError(InputError):
    """A simulation that was asked for in a way that the engine cannot serve."""


class MappingError(SfnhwError):
    """A network that does not fit the chip. A failed mapping is a result: it says what is short, and by how much.

    Parameters
    ----------
    layer : the population that does not fit, or None when the chip as a whole is short.
    resource : the limit that is violated, as its chip field.
    demand, capacity : in `unit`.
    terms : what the demand is made of, one line each.
    levers : the changes that would make it fit.
    """

    def __init__(
        self,
        *,
        layer: str | None,
        resource: str,
        demand: int,
        capacity: int,
        unit: str,
        terms: tuple[str, ...] = (),
        levers: tuple[str, ...] = (),
    ) -> None:
        self.layer, self.resource, self.demand, self.capacity, self.unit = layer, resource, demand, capacity, unit
        self.terms, self.levers = terms, levers
        who = f"layer {layer!r}" if layer else "the network"
        text = f"{who} does not fit: needs {demand:,} {unit}, {resource} gives {capacity:,}"
        text += f" ({demand - capacity:,} short)"
        if terms:
            text += "; the demand is " + ", ".join(terms)
        if levers:
            text += "; what would make it fit: " + "; or ".join(levers)
        super().__init__(text)

    def as_json(self) -> dict[str, Any]:
        """Return what is short, and what would make it fit; `gap` is demand − capacity."""
        return {
            "layer": self.layer,
            "resource": self.resource,
            "demand": self.demand,
            "capacity": self.capacity,
            "gap": self.demand - self.capacity,
            "unit": self.unit,
            "terms": list(self.terms),
            "levers": list(self.levers),
        }


def shorten(value: Any, limit: int = 80) -> str:
    """Return `value` as it would be typed, cut to `limit` characters."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def nearest(name: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return ' (did you mean X?)', or '' when nothing is near."""
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
