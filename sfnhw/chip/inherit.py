"""`base:` in a chip file: what the base says, with what differs laid over it."""

from typing import Any

from sfnhw.errors import Where
from sfnhw.yaml_source import YamlSource

Location = tuple[str | int, ...]

_TABLES = ("energy", "static", "area")
_NUMBERS = ("_pj", "_uw", "_um2")
# Mappings that are one value: a table of another chip's has nothing to do with the base's.
_WHOLE = (("execution", "barrier_cycles"),)
# Node and supply that a new row holds at.
_OF_A_NEW_PRICE = ("node_nm", "voltage_v")


def merge(base: YamlSource, over: YamlSource, default_name: str) -> YamlSource:
    """Lay a file over its base: mappings field by field, everything else replaced; positions follow the values.

    A price row that gives a number of its own is a new row: it holds at the chip's node and supply unless it names others,
    and keeps neither the base's source nor what its price follows, which were the base's number's. A file without a name of
    its own gets `default_name`, and one without a description of its own says what it is based on, so that a report never
    calls it by its base's name nor by what the base is.
    """
    changes = {key: value for key, value in over.value.items() if key != "base"}
    changes.setdefault("name", default_name)
    changes.setdefault("description", f"based on {over.value.get('base', 'another chip')}")
    replaced: list[Location] = []
    technology = _overlay(base.value.get("technology"), changes.get("technology", {}), (), [])
    here = {key: technology[key] for key in _OF_A_NEW_PRICE if isinstance(technology, dict) and key in technology}
    value = _overlay(base.value, changes, (), replaced, here)

    def kept(places: dict[Location, Where]) -> dict[Location, Where]:
        return {path: where for path, where in places.items() if not any(path[: len(r)] == r for r in replaced)}

    return YamlSource(value, {**kept(base.places), **over.places}, {**kept(base.key_places), **over.key_places})


def _overlay(base: Any, over: Any, path: Location, replaced: list[Location], here: dict[str, Any] | None = None) -> Any:
    """Return `over` laid on `base`, and note the paths at which nothing of the base is left; `here` is where new prices
    hold.
    """
    if _is_price(path, over):
        replaced.append(path)
        return _new_price(over, path, here)
    if path in _WHOLE or not (isinstance(base, dict) and isinstance(over, dict)):
        replaced.append(path)
        return over
    merged = dict(base)
    for key, value in over.items():
        if key in base:
            merged[key] = _overlay(base[key], value, (*path, key), replaced, here)
        else:  # a row that the base does without holds here, too
            merged[key] = _new_price(value, path, here) if _is_price((*path, key), value) else value
    return merged


def _is_price(path: Location, over: Any) -> bool:
    """Whether what stands at `path` is a price row with a number of its own."""
    is_row = len(path) == 2 and path[0] in _TABLES and isinstance(over, dict)
    return is_row and any(str(key).endswith(_NUMBERS) for key in over)


def _new_price(row: dict[str, Any], path: Location, here: dict[str, Any] | None) -> dict[str, Any]:
    """Return a price row that holds at `here` where it does not say otherwise; areas have no supply."""
    of_row = _OF_A_NEW_PRICE[: 1 if path[0] == "area" else 2]
    return {**{key: value for key, value in (here or {}).items() if key in of_row}, **row}
