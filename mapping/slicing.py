"""Cut populations into slices that fit a core: fewest slices, then fewest copies of weights."""

from collections.abc import Iterator

from sfnhw.chip import Chip
from sfnhw.errors import MappingError
from sfnhw.mapping.cuts import Cut, cut_of
from sfnhw.mapping.slices import LIMITS, Demand, Slice, capacity, demand, threshold_words, weight_bits
from sfnhw.network import FUNCTIONS, Block, Network, Population
from sfnhw.units import ceil_div


def cut(population: Population, parts_c: int, parts_r: int) -> list[Block]:
    """Return nearly equal blocks: channels in `parts_c` parts × rows in `parts_r` parts."""

    def edges(n: int, parts: int) -> list[tuple[int, int]]:
        return [(i * n // parts, (i + 1) * n // parts) for i in range(parts)]

    return [
        Block(c0, c1, r0, r1)
        for r0, r1 in edges(population.rows, parts_r)
        for c0, c1 in edges(population.channels, parts_c)
    ]


def slice_network(network: Network, chip: Chip) -> tuple[list[Slice], list[Demand]]:
    """Slices of all populations in network order, and the demand of each.

    Input populations are one slice each, at the pins, with no demand.

    Raises
    ------
    MappingError : one channel of one row of a population exceeds a limit of the core.
    """
    slices: list[Slice] = []
    demands: list[Demand] = []
    cuts: dict[str, Cut] = {}
    for population in network.order:
        if population.role == "input":
            chosen, asked = [population.block], [Demand()]
        else:
            chosen, asked = _cut_population(network, population, cuts, chip)
        cuts[population.name] = cut_of(chosen)
        for block, ask in zip(chosen, asked, strict=True):
            slices.append(Slice(len(slices), population.name, block, population.block_size(block)))
            demands.append(ask)
    return slices, _with_delayed_axons(network, slices, demands, cuts, chip)


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
    best: tuple[tuple[int, int], list[Block], list[Demand]] | None = None
    for parts_c, parts_r in _candidates(population, limit.neurons):
        if best is not None and (parts_c * parts_r, parts_r) >= best[0]:
            continue
        tried = cut(population, parts_c, parts_r)
        asked = _demands_if_fit(network, population, tried, cuts, chip, limit)
        if asked is not None:
            best = ((parts_c * parts_r, parts_r), tried, asked)
    if best is not None:
        return best[1], best[2]
    smallest = Block(0, population.channels if _keeps_channels(population) else 1, 0, 1)
    ask = demand(network, population, smallest, axon_entries(network, population, smallest, cuts, chip), chip)
    raise does_not_fit(network, population, smallest, ask, chip)


def _candidates(population: Population, neurons: int) -> Iterator[tuple[int, int]]:
    """(channel parts, row parts) that the neuron limit allows, fewest slices first, then fewest copies of weights."""
    pairs = []
    for parts_r in range(1, population.rows + 1):
        size = ceil_div(population.rows, parts_r) * population.columns
        if size > neurons:
            continue
        if _keeps_channels(population):
            if size * population.channels <= neurons:
                pairs.append((1, parts_r))
            continue
        least = ceil_div(population.channels, neurons // size)
        pairs += [(c, parts_r) for c in range(least, population.channels + 1)]
    return iter(sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair[1])))


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


def does_not_fit(network: Network, population: Population, block: Block, ask: Demand, chip: Chip) -> MappingError:
    """Return the error for a smallest possible block that exceeds a core."""
    limit = capacity(chip)
    resource = ask.violated(limit) or "neurons"
    field, unit = LIMITS[resource]
    terms: tuple[str, ...] = ()
    if resource == "weight_bits":
        terms = tuple(
            f"{weight_bits(p, network, block, chip):,} bits of weights from {p.source!r} ({p.kind})"
            for p in network.into(population.name)
        )
    elif resource == "neurons":
        terms = (f"{block.channels} channels × {population.columns} positions of one row",)
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
        terms = (f"{chip.core.axon_sharing}-shared axons of {len(network.into(population.name))} projections",)
    levers = [f"raise {field}"]
    if resource == "weight_bits":
        levers.append("lower core.weight_bits")
    if resource == "registers":
        levers.append("convert with fewer thresholds")
    if resource == "state_bits" and chip.core.threshold_unit.sharing == "neuron":
        levers.append("set core.threshold_unit.sharing to channel or population")
    if resource == "axons" and chip.core.axon_sharing == "neuron":
        levers.append("set core.axon_sharing to slice")
    return MappingError(
        layer=population.name,
        resource=field,
        demand=getattr(ask, resource),
        capacity=getattr(limit, resource),
        unit=f"{unit} in its smallest slice ({block.channels} channel{'s' * (block.channels > 1)} × 1 row)",
        terms=terms,
        levers=tuple(levers),
    )
