"""The mapping file: an .npz of plain integer arrays (no pickle) with a versioned JSON header.

Key ``header`` holds UTF-8 JSON as bytes: ``format`` ("sfnhw.mapping"), ``version`` (1), ``placer``, ``objective`` (that layers were cut for; null or left out: unknown), ``network`` (``name``,
``timesteps``, ``sha256``, and a sha256 of each part), ``chip`` (``name``, ``sha256``, and the fields that a mapping may depend on:
all of core, noc, packet, execution, io and off_chip). Arrays: ``slices`` (n, 5) population, c0, c1, r0, r1; ``terminals`` (n,);
``demands`` (n, 5) in the order of `Demand`; ``connections/<field>``, ``routes/<field>``, ``ready_routes/<field>``. Of a mapping in
rounds ``round_of`` (n,), −1 for inputs, takes the place of these three: they follow from it, and are laid anew.

The network's weights and the chip's prices are not in it: a mapping is read for a network and a chip, which must be
those that it was made for. Prices, clock and node may differ, since nothing about them is in a mapping.
"""

import json
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.errors import InputError, Where
from sfnhw.inputs import read_npz
from sfnhw.mapping.connections import Connections
from sfnhw.mapping.routes import Routes
from sfnhw.mapping.slices import Demand, Slice
from sfnhw.network import Block, Network
from sfnhw.network.fingerprint import part_digests, whole_digest
from sfnhw.npz_header import read_header, write_npz

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

FORMAT, VERSION = "sfnhw.mapping", 1
EXPECTED = "a mapping file (.npz) as `sfnhw map` writes it"
# Arrays of a part that hold 64-bit integers; all others hold 32-bit ones.
WIDE = ("first", "child_first", "exit_first", "root_first")
PARTS: dict[str, Any] = {"connections": Connections, "routes": Routes, "ready_routes": Routes}


def save_mapping(mapping: "Mapping", path: str | Path) -> Path:
    """Write beside, then rename.

    Raises
    ------
    InputError : a name that does not end in .npz, or a folder that cannot be written.
    """
    from sfnhw.mapping.rounds.file import round_of

    network, chip = mapping.network, mapping.chip
    place = {p.name: i for i, p in enumerate(network.populations)}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "placer": mapping.placer,
        "objective": mapping.objective,
        "network": _about(network),
        "chip": {"name": chip.name, "sha256": chip.fingerprint(), "fields": structure(chip)},
    }
    arrays: dict[str, Any] = {
        "slices": np.array([(place[s.population], *s.block) for s in mapping.slices], np.int64).reshape(-1, 5),
        "terminals": mapping.terminals,
        "demands": np.array([astuple(d) for d in mapping.demands], np.int64).reshape(-1, 5),
    }
    if mapping.rounds:
        arrays["round_of"] = round_of(mapping)
    for name in () if mapping.rounds else PARTS:
        part = getattr(mapping, name)
        arrays.update({f"{name}/{f.name}": getattr(part, f.name) for f in fields(part)})
    return write_npz(path, header, arrays)


def load_mapping(path: str | Path, network: Network, chip: Chip) -> "Mapping":
    """Read a mapping of `network` on `chip`, and verify it.

    Raises
    ------
    InputError : no such file, another kind of file, truncated, pickled or of another version; a mapping of another
        network (the first part that differs is named) or for another chip (the first field that differs); or one that
        `verify` finds wrong.
    """
    from sfnhw.mapping.objectives import check_objective
    from sfnhw.mapping.verification import verify

    path = Path(path)
    try:
        arrays = read_npz(path, EXPECTED)
    except InputError as error:
        raise InputError(str(error)) from None
    try:
        header = read_header(arrays, FORMAT, VERSION, EXPECTED)
        if not isinstance(header["placer"], str):
            raise InputError(field="placer", found=header["placer"], expected="a text")
        if header.get("objective") is not None:  # files of before have none
            check_objective(header["objective"])
        _check_network(header["network"], network)
        check_structure(header["chip"]["name"], header["chip"]["fields"], chip)
        mapping = replace(_build(header, arrays, network, chip), objective=header.get("objective"))
    except InputError as error:
        raise InputError(str(error), where=Where(path)) from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        text = f"the header is malformed ({type(error).__name__}: {error})"
        raise InputError(text, where=Where(path), expected=EXPECTED) from None
    found = verify(mapping)
    if not found.ok:
        more = f" (and {len(found.violations) - 1:,} more)" if len(found.violations) > 1 else ""
        raise InputError(f"not a valid mapping: {found.violations[0]}{more}", where=Where(path))
    return mapping


def moved_onto(mapping: "Mapping", network: Network, chip: Chip) -> "Mapping":
    """Return the mapping with an equal network, and a chip that differs in prices, clock and node at most, in place.

    Raises
    ------
    InputError : another network or chip; the first part or field that differs is named.
    """
    if mapping.network is not network:
        _check_network(_about(mapping.network), network)
    check_structure(mapping.chip.name, structure(mapping.chip), chip)
    return replace(mapping, network=network, chip=chip)


def structure(chip: Chip) -> dict[str, Any]:
    """Return `Chip.structure` as JSON values, so that what was written compares with what is."""
    flat: dict[str, Any] = json.loads(json.dumps(chip.structure()))
    return flat


def check_structure(name: str, was: dict[str, Any], chip: Chip) -> None:
    """Raise an InputError where a chip differs from the one of that name that a mapping was made for."""
    now = structure(chip)
    for field in sorted({*was, *now}):
        if was.get(field) != now.get(field):
            raise InputError(
                f"the mapping is for chip {name!r} with {field} = {was.get(field)}, and chip {chip.name!r} has "
                f"{now.get(field)}; map the network again"
            )


def _about(network: Network) -> dict[str, Any]:
    """What a file says about its network."""
    parts = part_digests(network)
    return {"name": network.name, "timesteps": network.timesteps, "sha256": whole_digest(parts), "parts": parts}


def _check_network(was: dict[str, Any], network: Network) -> None:
    now = part_digests(network)
    if was["sha256"] == whole_digest(now):
        return
    if was["timesteps"] != network.timesteps:
        raise InputError(
            f"the mapping is of network {was['name']!r} over T = {was['timesteps']} timesteps, and this one has "
            f"T = {network.timesteps}; map it again (T may follow the inputs: `sfnhw map --timesteps`)"
        )
    parts = was["parts"]
    missing = next((name for name in parts if name not in now), None)
    new = next((name for name in now if name not in parts), None)
    if missing or new:
        what = f"has {missing}, which this one lacks" if missing else f"lacks this one's {new}"
    else:
        what = f"differs in {next((name for name in now if parts[name] != now[name]), 'the order of its parts')}"
    raise InputError(f"the mapping is of another network ({was['name']!r}), which {what}; map this one again")


def _build(header: dict[str, Any], arrays: dict[str, NDArray[Any]], network: Network, chip: Chip) -> "Mapping":
    from sfnhw.mapping.mapping import Mapping
    from sfnhw.mapping.rounds.file import in_rounds

    def take(name: str, dimensions: int, kind: str = "int64") -> NDArray[Any]:
        if name not in arrays:
            raise InputError(f"array {name!r} is missing", expected=EXPECTED)
        array, limits = arrays[name], np.iinfo(kind)
        if array.ndim != dimensions or array.dtype.kind not in "iu" or (dimensions == 2 and array.shape[1] != 5):
            shape = "(n, 5)" if dimensions == 2 else "(n,)"
            found = f"{array.dtype} of shape {array.shape}"
            raise InputError(field=f"array {name!r}", found=found, expected=f"integers of shape {shape}")
        if array.size and not limits.min <= int(array.min()) <= int(array.max()) <= limits.max:
            raise InputError(field=f"array {name!r}", found=int(array.max()), expected=f"numbers of {limits.bits} bits")
        return array.astype(kind)

    slices = []
    for i, (k, *edges) in enumerate(take("slices", 2).tolist()):
        if not 0 <= k < len(network.populations):
            raise InputError(
                field=f"slice {i}", found=k, expected=f"a population from 0 to {len(network.populations) - 1}"
            )
        population, block = network.populations[k], Block(*edges)
        slices.append(Slice(i, population.name, block, population.block_size(block)))
    terminals, demands = take("terminals", 1), tuple(Demand(*row) for row in take("demands", 2).tolist())
    if "round_of" in arrays:
        return in_rounds(network, chip, slices, demands, terminals, take("round_of", 1), header["placer"])
    parts = {
        name: cls(**{f.name: take(f"{name}/{f.name}", 1, "int64" if f.name in WIDE else "int32") for f in fields(cls)})
        for name, cls in PARTS.items()
    }
    return Mapping(
        network=network,
        chip=chip,
        slices=tuple(slices),
        terminals=terminals,
        demands=demands,
        placer=header["placer"],
        **parts,
    )
