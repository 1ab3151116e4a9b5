"""Cut populations into slices that fit a core: fewest slices, then fewest copies of weights."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from typing import Any

from sfnhw.chip import Chip
from sfnhw.errors import InputError, MappingError, nearest
from sfnhw.mapping.cuts import Cut, cut_of
from sfnhw.mapping.partial_sums import least_parts, read_edges
from sfnhw.mapping.slices import LIMITS, Demand, Slice, bias_bits, capacity, demand, threshold_words, weight_bits
from sfnhw.network import FUNCTIONS, Block, Network, Population
from sfnhw.network.partials import receiver_of
from sfnhw.neurons import Partial
from sfnhw.units import BITS_PER_KIB, ceil_div


def cut(population: Population, parts_c: int, parts_r: int) -> list[Block]:
    """Return nearly equal blocks: channels in `parts_c` parts × rows in `parts_r` parts."""

    def edges(n: int, parts: int) -> list[tuple[int, int]]:
        return [(i * n // parts, (i + 1) * n // parts) for i in range(parts)]

    return [
        Block(c0, c1, r0, r1)
        for r0, r1 in edges(population.rows, parts_r)
        for c0, c1 in edges(population.channels, parts_c)
    ]


Parts = tuple[int, int]  # of the channels, of the rows
Splits = Mapping[str, Parts]


def slice_network(network: Network, chip: Chip, splits: Splits | None = None) -> tuple[list[Slice], list[Demand]]:
    """Slices of all populations in network order, and the demand of each.

    Input populations are one slice each, at the pins, with no demand.

    Parameters
    ----------
    splits : layer → (parts of its channels, parts of its rows), for those that the user has cut.

    Raises
    ------
    MappingError : one channel of one row of a population exceeds a limit of the core, or a part of a split does.
    InputError : a split that cannot be.
    """
    splits = checked_splits(network, splits or {})
    slices: list[Slice] = []
    demands: list[Demand] = []
    cuts: dict[str, Cut] = {}
    for population in network.order:
        if population.role == "input":
            chosen, asked = [population.block], [Demand()]
        elif population.name in splits:
            chosen = cut(population, *splits[population.name])
            asked = [
                demand(network, population, b, axon_entries(network, population, b, cuts, chip), chip) for b in chosen
            ]
            for block, ask in zip(chosen, asked, strict=True):
                if not ask.fits(capacity(chip)):
                    raise does_not_fit(network, population, block, ask, chip, split=True)
        else:
            chosen, asked = _cut_population(network, population, cuts, chip)
        cuts[population.name] = cut_of(chosen)
        for block, ask in zip(chosen, asked, strict=True):
            slices.append(Slice(len(slices), population.name, block, population.block_size(block)))
            demands.append(ask)
    return slices, _with_delayed_axons(network, slices, demands, cuts, chip)


def parts_of(network: Network, slices: Sequence[Slice]) -> dict[str, Parts]:
    """Return how the layers of sliced populations are cut: layer → (parts of its channels, of its rows); no inputs."""
    blocks: dict[str, list[Block]] = {}
    for s in slices:
        if network[s.population].role != "input":
            blocks.setdefault(s.population, []).append(s.block)
    return {name: (len({b.c0 for b in mine}), len({b.r0 for b in mine})) for name, mine in blocks.items()}


def checked_splits(network: Network, splits: Any) -> dict[str, tuple[int, int]]:
    """Return splits as pairs of integers.

    Raises
    ------
    InputError : no such layer, an input, more parts than there are, or channels of a layer norm cut.
    """
    if not isinstance(splits, Mapping):
        raise InputError(field="splits", found=splits, expected="layers to (parts of channels, parts of rows)")
    layers = [p.name for p in network.populations if p.role != "input"]
    out: dict[str, tuple[int, int]] = {}
    for name, parts in splits.items():
        field = f"splits.{name}"
        if name not in layers:
            text = f"no such layer on cores{nearest(str(name), layers)}"
            raise InputError(text, field=field, expected=f"one of {', '.join(layers)}")
        p = network[name]
        most = (1 if _keeps_channels(p) else p.channels, p.rows)
        pair = tuple(parts) if isinstance(parts, Sequence) else ()
        if len(pair) != 2 or not all(type(n) is int and 1 <= n <= m for n, m in zip(pair, most, strict=True)):
            expected = f"(1 to {most[0]} parts of its channels, 1 to {most[1]} parts of its rows)"
            raise InputError(field=field, found=parts, expected=expected)
        out[name] = (pair[0], pair[1])
    return out


def axon_entries(network: Network, population: Population, block: Block, sources: dict[str, Cut], chip: Chip) -> int:
    """Axon-table entries of a block: one for each source slice, or for each source neuron, that reaches it.

    Sources that are not cut yet (behind a delayed projection) count nothing here.
    """
    entries = 0
    for p in network.into(population.name):
        if p.source not in sources:
            continue
        source, cut = network[p.source], sources[p.source]
        for place in cut.meeting(p.reach(source, population, block)):
            source_block = cut.blocks[place]
            fan = p.fan(source, population, source_block, block)
            if not fan.any:
                continue
            if chip.core.axon_sharing == "slice" and not p.has_indices:
                entries += 1
            else:  # a pointer for each source neuron
                entries += int((fan.per_neuron(source.block_size(source_block)) > 0).sum())
    return entries


def _with_delayed_axons(
    network: Network, slices: list[Slice], demands: list[Demand], cuts: dict[str, Cut], chip: Chip
) -> list[Demand]:
    """Recount the axons where a delayed projection comes from a population that was cut later."""
    if not network.has_delays:
        return demands
    out = []
    for s, d in zip(slices, demands, strict=True):
        population = network[s.population]
        if population.role != "input":
            entries = axon_entries(network, population, s.block, cuts, chip)
            d = Demand(d.neurons, d.weight_bits, d.state_bits, entries, d.registers)
            if not d.fits(capacity(chip)):
                raise does_not_fit(network, population, s.block, d, chip)
        out.append(d)
    return out


def _cut_population(
    network: Network, population: Population, cuts: dict[str, Cut], chip: Chip
) -> tuple[list[Block], list[Demand]]:
    limit = capacity(chip)
    # A slice's packets go where any of its neurons is heard, so slices end where the channels of a part of the next
    # layer end; if none such fit, anywhere.
    edges = [] if _keeps_channels(population) else read_edges(network, population)
    for ends in (edges, []) if edges else ([],):
        for parts_c, parts_r in _candidates(population, limit.neurons):
            if not _ends_at(population.channels, parts_c, ends):
                continue
            tried = cut(population, parts_c, parts_r)
            asked = _demands_if_fit(network, population, tried, cuts, chip, limit)
            if asked is not None:
                return tried, asked
    smallest = Block(0, population.channels if _keeps_channels(population) else 1, 0, 1)
    ask = demand(network, population, smallest, axon_entries(network, population, smallest, cuts, chip), chip)
    raise does_not_fit(network, population, smallest, ask, chip)


def _ends_at(channels: int, parts: int, edges: Sequence[int]) -> bool:
    """Whether nearly equal parts of the channels end at all these edges."""
    return all(ceil_div(edge * parts, channels) * channels // parts == edge for edge in edges)


def _candidates(population: Population, neurons: int) -> Iterator[tuple[int, int]]:
    """(channel parts, row parts) that the neuron limit allows, fewest slices first, then fewest copies of weights."""

    def of_rows(parts_r: int) -> Iterator[tuple[int, int, int]]:
        """(parts, parts_r, parts_c), ascending; made as they are asked for, since there may be millions."""
        size = ceil_div(population.rows, parts_r) * population.columns
        if size > neurons:
            return
        if _keeps_channels(population):
            if size * population.channels <= neurons:
                yield parts_r, parts_r, 1
            return
        for parts_c in range(ceil_div(population.channels, neurons // size), population.channels + 1):
            yield parts_c * parts_r, parts_r, parts_c

    return ((c, r) for _, r, c in merge(*map(of_rows, range(1, population.rows + 1))))


def smallest_parts(population: Population, neurons: int) -> list[Parts]:
    """Cuts that the neuron limit allows, fewest slices first; of those with the same largest part the one of fewest parts."""

    def sizes(n: int) -> list[int]:
        return sorted({ceil_div(n, ceil_div(n, parts)) for parts in range(1, n + 1)})

    channels = [1] if _keeps_channels(population) else sizes(population.channels)
    pairs = [
        (c, r)
        for r in sizes(population.rows)
        for c in channels
        if ceil_div(population.channels, c) * ceil_div(population.rows, r) * population.columns <= neurons
    ]
    return sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair[1]))


def _keeps_channels(population: Population) -> bool:
    """Whether one core must see all channels of a position (layer norm); a row is never cut, so a softmax fits."""
    return population.needs_function_unit and FUNCTIONS[population.function].spans == "channels"


def _demands_if_fit(
    network: Network,
    population: Population,
    tried: list[Block],
    cuts: dict[str, Cut],
    chip: Chip,
    limit: Demand,
) -> list[Demand] | None:
    """Demand of each block, or None at the first that does not fit."""
    asked = []
    for block in tried:
        # The cheap limits first: axons need the geometry of every source slice.
        if not demand(network, population, block, 0, chip).fits(limit):
            return None
        asked.append(demand(network, population, block, axon_entries(network, population, block, cuts, chip), chip))
        if not asked[-1].fits(limit):
            return None
    return asked


def _axon_terms(network: Network, population: Population, chip: Chip) -> tuple[str, ...]:
    """Say what axon entries are for: source slices, or source neurons where synapses are listed or the chip shares none."""
    into = network.into(population.name)
    shared = sum(chip.core.axon_sharing == "slice" and not p.has_indices for p in into)
    return tuple(
        f"an axon for each source {of} of {many} projection{'s' * (many != 1)}"
        for of, many in (("slice", shared), ("neuron", len(into) - shared))
        if many
    )


def does_not_fit(
    network: Network, population: Population, block: Block, ask: Demand, chip: Chip, split: bool = False
) -> MappingError:
    """Return the error for a block that exceeds a core: a smallest possible one, or a part of the user's own split."""
    limit = capacity(chip)
    resource = ask.violated(limit) or "neurons"
    field, unit = LIMITS[resource]
    terms: tuple[str, ...] = ()
    if resource == "weight_bits":
        terms = tuple(
            f"{weight_bits(p, network, block, chip):,} bits of weights from {p.source!r} ({p.kind})"
            for p in network.into(population.name)
        )
        bias = bias_bits(population, block, chip)
        terms += (f"{bias:,} bits of biases",) if bias else ()
    elif resource == "neurons":
        terms = (f"{block.channels} channels × {population.columns} positions of {block.rows} rows",)
    elif resource == "state_bits":
        terms = (f"{ask.neurons} neurons × {chip.core.accumulator_bits} bits, with banks and pooling counters",)
        tables = threshold_words(population, block, chip).memory * chip.core.threshold_unit.register_bits
        if tables:
            terms += (f"{tables:,} bits of thresholds, a table for each neuron",)
    elif resource == "registers":
        need = population.coding.need()
        terms = (
            f"{need.thresholds} thresholds{' × 2 signs' if need.signed else ''} of coding {population.coding.kind!r}",
        )
    else:
        terms = _axon_terms(network, population, chip)
    least = getattr(ask, resource)
    if resource in ("weight_bits", "state_bits"):  # the field is in KiB
        least = ceil_div(least, BITS_PER_KIB)
    levers = [f"raise {field} to {least:,}"]
    if resource == "weight_bits":
        levers.append("lower core.weight_bits")
    if resource == "registers":
        levers.append("convert with fewer thresholds")
    if resource == "state_bits" and chip.core.threshold_unit.sharing == "neuron":
        levers.append("set core.threshold_unit.sharing to channel or population")
    shareable = any(not p.has_indices for p in network.into(population.name))
    if resource == "axons" and chip.core.axon_sharing == "neuron" and shareable:
        levers.append("set core.axon_sharing to slice")
    if split:
        levers.append("more parts in its split")
    elif isinstance(population.coding, Partial):
        levers.append(f"cut the inputs of {receiver_of(network, population.name)!r} into more parts")
    elif resource == "weight_bits" and (parts := least_parts(network, population.name, block, chip)):
        levers.append(f"cut its inputs: sfnhw.mapping.partial_sums(network, {{{population.name!r}: {parts}}})")
    which = "a part of the given split" if split else "its smallest slice"
    return MappingError(
        layer=population.name,
        resource=field,
        demand=getattr(ask, resource),
        capacity=getattr(limit, resource),
        unit=f"{unit} in {which} ({block.channels} channel{'s' * (block.channels > 1)} × "
        f"{block.rows} row{'s' * (block.rows > 1)})",
        terms=terms,
        levers=tuple(levers),
    )
