"""A user's own decisions: which cores hold which slices, for some layers (pins) or for all of them (a placement)."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sfnhw.chip import Chip
from sfnhw.errors import InputError, Where, nearest
from sfnhw.mapping.slices import LIMITS, Demand, Slice, capacity, together
from sfnhw.network import Network
from sfnhw.yaml_source import read_yaml

# Layer, or "layer[i]" for its slice i -> core, or one core for each slice in order; a core may stand several times.
Pins = Mapping[str, int | Sequence[int]]
# The same for all layers; or one core for each slice that is not of an input, in network order; or a file with that.
Placement = Pins | Sequence[int] | str | Path

Locate = Callable[[str], Where | None]
# ``layer[i]``.
SLICE = re.compile(r"(.*)\[(\d+)\]", re.DOTALL)
FILE = "a mapping with one key, placement: layers to cores, or a list of cores"


def decided(
    network: Network,
    slices: list[Slice],
    demands: list[Demand],
    chip: Chip,
    pins: Pins | None,
    placement: Placement | None,
) -> dict[int, int]:
    """Return slice → core for all slices that the user has placed.

    Raises
    ------
    InputError : both pins and a placement; no such layer, slice or core; another number of cores than of slices; a slice
        that is given twice, or (in a placement) not at all; slices that are too much for one core. With file and line where
        the placement is a file.
    """
    if pins is not None and placement is not None:
        raise InputError(
            "a placement says where everything is", field="pins", found=pins, expected="pins or a placement"
        )
    if pins is None and placement is None:
        return {}
    locate: Locate = lambda name: None  # noqa: E731
    field, given = ("pins", pins) if placement is None else ("placement", placement)
    if isinstance(given, str | Path):
        given, locate = read_placement(given)
    if isinstance(given, Mapping):
        cores = _by_name(given, network, slices, chip, field, locate)
    elif field == "placement":
        cores = _in_order(given, network, slices, chip, locate)
    else:
        raise InputError(field=field, found=given, expected="a mapping from layers to cores")
    if field == "placement":
        left = next((s for s in slices if network[s.population].role != "input" and s.index not in cores), None)
        if left:
            raise InputError(f"slice {_names(slices)[left.index]!r} has no core", where=locate(""), field=field)
    _check_limits(cores, slices, demands, chip, field, locate)
    return cores


def pinned_layers(pins: Pins | None, network: Network) -> set[str]:
    """Return the layers that pins name, whole or by a slice; names that are none are left to `decided`."""
    layers = {p.name for p in network.populations}
    given = [str(name) for name in pins] if isinstance(pins, Mapping) else []
    return {name if name in layers else re.sub(SLICE, r"\1", name) for name in given} & layers


def read_placement(path: str | Path) -> tuple[Any, Locate]:
    """Read ``placement:`` from a YAML or JSON file; return it, and where in the file a layer's cores stand.

    Raises
    ------
    InputError : no such file, not YAML, or anything but that one key.
    """
    source = read_yaml(path, InputError)
    if not isinstance(source.value, dict) or list(source.value) != ["placement"]:
        found = list(source.value) if isinstance(source.value, dict) else source.value
        raise InputError("not a placement", where=Where(path, 1), found=found, expected=FILE)
    value = source.value["placement"]
    if not isinstance(value, dict | list):
        raise InputError(where=source.where(("placement",)), field="placement", found=value, expected=FILE)
    return value, lambda name: source.where(("placement", name) if name else ("placement",), key=True)


def _by_name(
    given: Mapping[Any, Any], network: Network, slices: list[Slice], chip: Chip, field: str, locate: Locate
) -> dict[int, int]:
    cores: dict[int, int] = {}
    for name, value in given.items():
        where, what = locate(str(name)), f"{field}.{name}"
        members = _members(str(name), network, slices, where, what)
        numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        for core in numbers:
            _check_core(core, chip, where, what)
        if len(numbers) != len(members):
            raise InputError(
                f"{_count(members, 'slice')}, and {_count(numbers, 'core')} given",
                where=where,
                field=what,
                found=value,
                expected=f"{_count(members, 'core')}, one for each slice in order (one may stand several times)",
            )
        for s, core in zip(members, numbers, strict=True):
            if s.index in cores:
                raise InputError(f"slice {_names(slices)[s.index]!r} is given twice", where=where, field=what)
            cores[s.index] = int(core)
    return cores


def _in_order(given: Any, network: Network, slices: list[Slice], chip: Chip, locate: Locate) -> dict[int, int]:
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str | bytes):
        raise InputError(field="placement", found=given, expected="layers to cores, or a list of cores")
    placed = [s for s in slices if network[s.population].role != "input"]
    if len(given) != len(placed):
        counts: dict[str, int] = {}
        for s in placed:
            counts[s.population] = counts.get(s.population, 0) + 1
        parts = ", ".join(f"{n} of {name!r}" for name, n in counts.items())
        raise InputError(
            f"{len(given)} cores", where=locate(""), field="placement", expected=f"{len(placed)}, one a slice: {parts}"
        )
    for i, core in enumerate(given):
        _check_core(core, chip, locate(""), f"placement[{i}]")
    return {s.index: int(core) for s, core in zip(placed, given, strict=True)}


def _members(name: str, network: Network, slices: list[Slice], where: Where | None, field: str) -> list[Slice]:
    """Slices that a layer's name, or ``layer[i]``, means."""
    layers = [p.name for p in network.populations]
    one = re.fullmatch(SLICE, name)
    layer = one[1] if one and name not in layers else name
    if layer not in layers:
        hint = nearest(layer, layers)
        raise InputError(
            f"no layer of that name{hint}", where=where, field=field, expected=f"one of {', '.join(layers)}"
        )
    if network[layer].role == "input":
        raise InputError("an input enters at the pins of the chip", where=where, field=field, expected="another layer")
    members = [s for s in slices if s.population == layer]
    if layer == name or not one:
        return members
    place = int(one[2])
    if place >= len(members):
        text = f"{layer!r} has slices 0 to {len(members) - 1}"
        raise InputError("no such slice", where=where, field=field, found=place, expected=text)
    return [members[place]]


def _check_core(core: Any, chip: Chip, where: Where | None, field: str) -> None:
    if isinstance(core, bool) or not isinstance(core, int | np.integer) or not 0 <= core < chip.cores:
        expected = f"a core of {chip.name!r}, 0 to {chip.cores - 1}"
        raise InputError("no such core", where=where, field=field, found=core, expected=expected)


def _check_limits(
    cores: dict[int, int], slices: list[Slice], demands: list[Demand], chip: Chip, field: str, locate: Locate
) -> None:
    """Raise where what shares a core is more than it holds."""
    limit = capacity(chip)
    used: dict[int, Demand] = {}
    members: dict[int, list[Slice]] = {}
    every = _names(slices)
    for index, core in cores.items():
        used[core] = together(used.get(core, Demand()), demands[index], chip)
        members.setdefault(core, []).append(slices[index])
        names = [every[s.index] for s in members[core]]
        where = locate(slices[index].population) or locate(every[index])
        short = used[core].violated(limit)
        if short:
            resource, unit = LIMITS[short]
            has, needs = getattr(limit, short), getattr(used[core], short)
            parts = ", ".join(
                f"{getattr(demands[s.index], short):,} of {name}" for s, name in zip(members[core], names, strict=True)
            )
            raise InputError(
                f"core {core} would need {needs:,} {unit}, {resource} gives {has:,} ({needs - has:,} short): {parts}",
                where=where,
                field=field,
            )
        tables = {s.population for s in members[core] if demands[s.index].registers}
        if chip.core.threshold_unit.sharing == "core" and len(tables) > 1:
            text = f"core {core} has one threshold table (core.threshold_unit.sharing), and {', '.join(names)} need several"
            raise InputError(text, where=where, field=field)


def _names(slices: list[Slice]) -> list[str]:
    """For each slice its layer's name, with its place where there are several."""
    total, seen = Counter(s.population for s in slices), Counter[str]()
    out = []
    for s in slices:
        out.append(s.population if total[s.population] == 1 else f"{s.population}[{seen[s.population]}]")
        seen[s.population] += 1
    return out


def _count(things: Sequence[Any], noun: str) -> str:
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"
