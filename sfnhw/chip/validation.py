"""Every way a chip description can be wrong, as one ChipError: place, field, found, expected."""

from collections.abc import Callable
from difflib import get_close_matches
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from sfnhw.chip.dimensions import explanation, meant
from sfnhw.errors import ChipError, Where, nearest, shorten

Location = tuple[str | int, ...]
Locate = Callable[[Location, bool], Where | None]


class Problem(NamedTuple):
    """One thing that is wrong: where in the chip, and the parts of its sentence; `cause` is the other end of a conflict."""

    path: Location
    message: str = ""
    found: Any = None
    expected: str | None = None
    at_key: bool = False
    cause: Location | None = None


def nowhere(path: Location, key: bool) -> Where | None:
    """Locate nothing: the chip was not read from a file."""
    return None


def raise_first(problems: list[Problem], locate: Locate = nowhere, kind: type[ChipError] = ChipError) -> None:
    """Raise the first problem in the order of the file, saying how many more there are; return if there is none.

    kind : what is raised.
    """
    if not problems:
        return
    places = [_place(p, locate) for p in problems]
    order = sorted(range(len(problems)), key=lambda i: _line(places[i]))
    first, where = problems[order[0]], places[order[0]]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    message, expected = first.message, first.expected
    if expected is not None:
        expected += more
    else:
        message += more
    field = dotted(first.path) or None
    raise kind(message, where=where, field=field, found=first.found, expected=expected)


def _place(problem: Problem, locate: Locate) -> Where | None:
    """Return where the problem is; of a conflict between a file and its base, the end in the file itself."""
    where, top = locate(problem.path, problem.at_key), locate((), False)
    cause = locate(problem.cause, False) if problem.cause else None
    if where and top and cause and where.file != top.file == cause.file:
        return cause
    return where


def from_pydantic(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Translate what pydantic found; a field that is missing because its name is misspelt is one problem, not two."""
    items: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False, include_context=False)]
    missing = {item["loc"]: str(item["loc"][-1]) for item in items if item["type"] == "missing"}
    explained: set[Location] = set()
    for item in items:
        if item["type"] == "extra_forbidden":
            beside = {name: loc for loc, name in missing.items() if loc[:-1] == item["loc"][:-1]}
            other_unit = meant(str(item["loc"][-1]), list(beside))
            names = [other_unit] if other_unit else get_close_matches(str(item["loc"][-1]), list(beside), 1)
            explained |= {beside[name] for name in names}
    return [_translate(item, model) for item in items if item["loc"] not in explained]


def dotted(path: Location) -> str:
    """Return a path as people write it: core.neurons, io.router[0]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _translate(item: dict[str, Any], model: type[BaseModel]) -> Problem:
    path: Location = tuple(part for part in item["loc"] if part != "[key]")
    if item["type"] == "extra_forbidden":
        around = _target(model, path[:-1])[0]
        known = list(around.model_fields) if isinstance(around, type) and issubclass(around, BaseModel) else []
        field = meant(str(path[-1]), known)
        if field:
            message, expected = explanation(str(path[-1]), field)
            return Problem(path, message, None, expected, at_key=True)
        hint = nearest(str(path[-1]), known)
        return Problem(path, "unknown field", None, "one of " + ", ".join(known) + hint, at_key=True)
    annotation, info = _target(model, path)
    expected = describe(annotation, info)
    if item["type"] == "missing":
        if isinstance(path[-1], int):  # a list that is too short: speak of the list
            path, found = path[:-1], list(item["input"])
            return Problem(path, "", found, describe(*_target(model, path)))
        return Problem(path, "missing", None, expected)
    found = item["input"]
    if found is None:
        return Problem(path, "found nothing", None, expected)
    if isinstance(found, str):
        choices = [str(choice) for choice in get_args(annotation)]
        expected += nearest(found, choices) if choices else ""
        expected += _beyond(info)
    return Problem(path, "", found if not isinstance(found, dict) else _Mapping(found), expected)


class _Mapping(dict[str, Any]):
    """A mapping that is shown by its keys only."""

    def __repr__(self) -> str:
        return "a mapping with " + shorten(", ".join(map(str, self)), 60) if self else "an empty mapping"


def _target(model: Any, path: Location) -> tuple[Any, FieldInfo | None]:
    """Return the type that belongs at `path`, and its field where it is one."""
    annotation, info = model, None
    for part in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            info = annotation.model_fields.get(str(part))
            if info is None:
                return Any, None
            annotation = info.annotation
        else:
            args = get_args(annotation)
            info = None
            annotation = args[-1] if get_origin(annotation) is dict else args[0] if args else Any
    return annotation, info


def describe(annotation: Any, info: FieldInfo | None = None) -> str:
    """Say in words what may stand in a field, with its bounds and unit."""
    if choices := alternatives(annotation):
        text = describe(choices[0].annotation) + bounds(info, choices[0]) + ("" if info is None else _unit(info))
        return text + (
            ", or a table of such numbers by whole numbers ≥ 1, each once" if len(choices) > 1 else ", or left out"
        )
    origin = get_origin(annotation)
    if origin is not None and str(origin) == "typing.Literal":
        return _either([repr(choice) for choice in get_args(annotation)])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a mapping with " + ", ".join(annotation.model_fields)
    if origin is dict:
        return "a mapping"
    if origin is tuple:
        args = get_args(annotation)
        return "a list of texts" if args[-1] is Ellipsis else f"a list of {len(args)} whole numbers"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text that is not empty"}
    text = words.get(annotation, "another value")
    return text if info is None else text + bounds(info) + _unit(info)


def alternatives(annotation: Any) -> tuple[FieldInfo, ...]:
    """Return the types of a union but None, with their own bounds; () where the annotation is no union."""
    if get_origin(annotation) not in (Union, UnionType):
        return ()
    return tuple(FieldInfo.from_annotation(choice) for choice in get_args(annotation) if choice is not type(None))


def bounds(*infos: FieldInfo | None) -> str:
    """Return ' from a to b', ' ≥ a', ' > a' or ''."""
    metadata = [m for info in infos if info is not None for m in info.metadata]
    low = next((f"≥ {m.ge}" for m in metadata if isinstance(m, Ge)), "")
    low = low or next((f"> {m.gt}" for m in metadata if isinstance(m, Gt)), "")
    high = next((f"≤ {m.le}" for m in metadata if isinstance(m, Le)), "")
    high = high or next((f"< {m.lt}" for m in metadata if isinstance(m, Lt)), "")
    if low.startswith("≥") and high.startswith("≤"):
        if low[2:] == high[2:]:
            return f" equal to {low[2:]}"
        return f" from {low[2:]} to {high[2:]}"
    return "".join(f" {part}" for part in (low and low + (" and" if high else ""), high) if part)


def unit_of(info: FieldInfo) -> str:
    """Return the unit of a field, '' where it has none."""
    extra = info.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _unit(info: FieldInfo) -> str:
    unit = unit_of(info)
    return f" ({unit})" if unit else ""


def _beyond(info: FieldInfo | None) -> str:
    """Return where to find what a field cannot be, in brackets, or ''."""
    extra = info.json_schema_extra if info is not None else None
    text = extra.get("beyond") if isinstance(extra, dict) else None
    return f" ({text})" if text else ""


def _either(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else ", ".join(choices[:-1]) + " or " + choices[-1]


def _line(where: Where | None) -> tuple[int, int]:
    return ((where.line or 0), (where.column or 0)) if where else (0, 0)
