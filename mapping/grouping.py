"""Which slices share a core, and what to say where there are not enough cores."""

from functools import reduce

from sfnhw.chip import Chip
from sfnhw.errors import MappingError
from sfnhw.mapping.slices import LIMITS, Demand, Slice, capacity, together
from sfnhw.units import ceil_div


def group_slices(slices: list[Slice], demands: list[Demand], chip: Chip, fixed: dict[int, int]) -> list[list[Slice]]:
    """Return the slices that share a core, for each: one each if the cores suffice, else first-fit in network order.

    Those that the user placed (`fixed`: slice → core) come first in their groups, by core. Where a core has one threshold
    table, only slices of one population share it, and slices without thresholds.
    """
    by_core: dict[int, list[Slice]] = {}
    for index, core in sorted(fixed.items()):
        by_core.setdefault(core, []).append(slices[index])
    groups = list(by_core.values())
    # The inputs' slices sit at the pins.
    placed = [s for s in slices if demands[s.index].neurons and s.index not in fixed]
    if len(placed) + len(groups) <= chip.cores:
        return sorted([*groups, *([s] for s in placed)], key=lambda group: group[0].index)
    limit = capacity(chip)
    used = [reduce(lambda a, s: together(a, demands[s.index], chip), group, Demand()) for group in groups]
    # Populations whose thresholds a core holds.
    tables = [{s.population for s in group if demands[s.index].registers} for group in groups]
    one_table = chip.core.threshold_unit.sharing == "core"
    for s in placed:
        own = {s.population} if demands[s.index].registers else set()
        # First fit: any earlier core with room; small layers fill the gaps that large ones leave.
        for k, before in enumerate(used):
            shared = tables[k] | own
            both = together(before, demands[s.index], chip)
            if both.fits(limit) and not (one_table and len(shared) > 1):
                groups[k].append(s)
                used[k], tables[k] = both, shared
                break
        else:
            groups.append([s])
            used.append(demands[s.index])
            tables.append(own)
    return sorted(groups, key=lambda group: group[0].index) if fixed else groups


def too_many_cores(
    slices: list[Slice], demands: list[Demand], groups: int, chip: Chip, rounds: int | None = None
) -> MappingError:
    """Return an error that names the layer that takes most cores and the limit that cuts the network into so many slices."""
    per_layer: dict[str, int] = {}
    total = Demand()
    for s in slices:
        if demands[s.index].neurons:
            per_layer[s.population] = per_layer.get(s.population, 0) + 1
            total = total + demands[s.index]
    limit = capacity(chip)
    fill = {name: getattr(total, name) / (getattr(limit, name) * chip.cores) for name in LIMITS}
    tightest = max(fill, key=fill.__getitem__)
    field = LIMITS[tightest][0]
    needed = ceil_div(groups, chip.noc.columns * chip.noc.cores_per_router * chip.chips)
    of_tiles = " × noc.cores_per_router" if chip.noc.cores_per_router > 1 else ""
    of_chips = " × board.columns × board.rows" if chip.chips > 1 else ""
    each = "" if chip.chips == 1 else " on each chip"
    alone = chip.core.threshold_unit.sharing == "core"
    one_table = ("set core.threshold_unit.sharing to population: a core's one table serves one layer",) if alone else ()
    # On a board, and where what is placed by hand is what does not fit, rounds are no help.
    alone_on_board = chip.chips == 1 and rounds is not None and rounds > 1
    memory = "" if chip.off_chip.bits_per_cycle else ", with off_chip and its price"
    in_rounds = (f"set execution.rounds to auto{memory}: {rounds:,} rounds on this chip",) if alone_on_board else ()
    return MappingError(
        layer=None,
        resource=f"noc.columns × noc.rows{of_tiles}{of_chips}",
        demand=groups,
        capacity=chip.cores,
        unit="cores",
        terms=terms_of({f"layer {name!r}": count for name, count in per_layer.items()}, "slices"),
        levers=(
            f"a mesh of {chip.noc.columns} columns × {needed} rows{each}",
            f"{ceil_div(groups, chip.cores // chip.chips):,} chips of this kind (board.columns, board.rows)",
            *in_rounds,
            f"raise {field}, the fullest limit ({fill[tightest]:.0%} of the whole chip's)",
            *one_table,
        ),
    )


def terms_of(counts: dict[str, int], noun: str) -> tuple[str, ...]:
    """Return the largest three terms of a demand, as ``6 slices of layer 'a'``, and what is left, so that they add up.

    counts : what each is of → how many; noun : of what.
    """
    largest = sorted(counts, key=counts.__getitem__, reverse=True)[:3]
    rest = sum(counts.values()) - sum(counts[name] for name in largest)
    named = tuple(f"{counts[name]:,} {noun} of {name}" for name in largest)
    return (*named, f"{rest:,} {noun} of {len(counts) - len(largest):,} more") if rest else named
