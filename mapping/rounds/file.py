"""A mapping in rounds as arrays, and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip
from sfnhw.errors import InputError
from sfnhw.mapping.connections import Connections
from sfnhw.mapping.rounds.map_rounds import rounds_from
from sfnhw.mapping.slices import Demand, Slice
from sfnhw.network import Network

if TYPE_CHECKING:
    from sfnhw.mapping.mapping import Mapping

Ints = NDArray[np.int64]


def round_of(mapping: "Mapping") -> Ints:
    """(slices,) the round in which each slice is on a core; −1 for inputs."""
    out = np.full(len(mapping.slices), -1, np.int64)
    for number, r in enumerate(mapping.rounds):
        out[r.home[r.on_cores]] = number
    return out


def in_rounds(
    network: Network,
    chip: Chip,
    slices: Sequence[Slice],
    demands: Sequence[Demand],
    terminals: Ints,
    rounds: Ints,
    placer: str,
) -> "Mapping":
    """Build a mapping from the round and the core of each slice.

    Raises
    ------
    InputError : numbers that do not go together: another number of slices, an input on a core, a round or core that there
        is not, layers without slices.
    """
    from sfnhw.mapping.map_network import laid_out

    count = len(slices)
    if not len(rounds) == len(terminals) == len(demands) == count:
        raise InputError(field="round_of", found=len(rounds), expected=f"a round and a core for each of {count} slices")
    for s in slices:
        p, b = network[s.population], s.block
        if not (0 <= b.c0 < b.c1 <= p.channels and 0 <= b.r0 < b.r1 <= p.rows):
            raise InputError(
                field=f"slice {s.index}", found=tuple(b), expected=f"a block of {p.channels} channels × {p.rows} rows"
            )
    is_input = np.array([network[s.population].role == "input" for s in slices])
    on_core = (terminals >= 0) & (terminals < chip.cores)
    at_pins = (terminals == chip.cores) & np.array([d == Demand() for d in demands])
    beyond = (rounds < -1) | (rounds >= count) | (is_input != (rounds == -1))
    if (is_input == on_core).any() or (is_input & ~at_pins).any() or beyond.any():
        raise InputError("a slice is in a round or on a core where it cannot be", field="round_of")
    missing = {p.name for p in network.populations} - {s.population for s in slices}
    if missing or set(range(rounds.max(initial=-1) + 1)) - set(rounds.tolist()):
        raise InputError("a round or a layer has no slices", field="round_of", found=sorted(missing) or None)

    def lay_out(
        part: Network, chip: Chip, own: list[Slice], asked: list[Demand], connections: Connections, home: Ints
    ) -> "Mapping":
        fixed = {s.index: int(terminals[home[s.index]]) for s in own if part[s.population].role != "input"}
        by_core: dict[int, list[Slice]] = {}
        for index, core in fixed.items():
            by_core.setdefault(core, []).append(own[index])
        return laid_out(part, chip, own, asked, list(by_core.values()), fixed, connections, None)

    plan = [[s for s in slices if rounds[s.index] == number] for number in range(rounds.max() + 1)]
    return rounds_from(network, chip, slices, demands, plan, lay_out, placer)
