"""map_network: slices, then cores, then routes."""

from functools import reduce

import numpy as np

from sfnhw.chip import Chip
from sfnhw.chip.threshold_unit import update_cost
from sfnhw.errors import InputError, MappingError, nearest
from sfnhw.mapping.connections import Connections, connect
from sfnhw.mapping.mapping import Mapping
from sfnhw.mapping.pins import Pins, Placement, decided, put_on_pins
from sfnhw.mapping.placement import PLACERS
from sfnhw.mapping.routes import route
from sfnhw.mapping.slices import LIMITS, Demand, Slice, capacity, together
from sfnhw.mapping.slicing import Splits, slice_network
from sfnhw.network import Network, Population, Product
from sfnhw.units import ceil_div

PLACER = "hilbert"
# What `Mapping.placer` says where the user gave the whole placement.
GIVEN = "given"


def map_network(
    network: Network,
    chip: Chip,
    *,
    placer: str = PLACER,
    pins: Pins | None = None,
    placement: Placement | None = None,
    splits: Splits | None = None,
) -> Mapping:
    """Map a network on a chip.

    One slice a core where the cores suffice; else slices that follow one another share a core as far as every
    limit allows. Placement follows the network's order along `placer`'s walk over the mesh, and fills the cores of a
    router one after the other.

    Parameters
    ----------
    pins : layer → core, or one core for each of its slices in order (a core may stand several times); ``layer[i]`` is
        its slice i alone. The rest is placed around them, and may share their cores where the chip is full.
    placement : the same for all layers but the inputs; or one core for each of their slices, in network order; or the
        path of a YAML or JSON file with that under the key ``placement``. No placer is asked then.
    splits : layer → (parts of its channels, parts of its rows), nearly equal ones; other layers are cut as they must be.

    Raises
    ------
    MappingError : something is short; the error says what, by how much, and which layer.
    ChipError : the chip's threshold unit cannot serve a coding's thresholds.
    InputError : pins or a placement that cannot be (see `sfnhw.mapping.pins`); a placement with a placer; unknown placer;
        dataflow execution of a network with delays; another one of a network with products.
    """
    if not isinstance(placer, str) or placer not in PLACERS:
        hint = nearest(str(placer), list(PLACERS))
        raise InputError(field="placer", found=placer, expected=f"one of {', '.join(PLACERS)}{hint}")
    if placement is not None and placer != PLACER:
        raise InputError("a placement says where everything is", field="placer", found=placer, expected="one of them")
    _check_execution(network, chip)
    for population in network.populations:
        _check_population(population, chip)
    slices, demands = slice_network(network, chip, splits)
    fixed = decided(network, slices, demands, chip, pins, placement)
    groups = _group(slices, demands, chip, fixed)
    if len(groups) > chip.cores:
        raise _too_many(slices, demands, len(groups), chip)
    tiles = PLACERS[placer](chip.noc.columns, chip.noc.rows)
    each = chip.noc.cores_per_router
    walk = (tiles[:, None] * each + np.arange(each)).ravel()
    terminals = np.full(len(slices), chip.cores, np.int64)
    on_pins = np.array([fixed.get(group[0].index, -1) for group in groups], np.int64)
    for core, group in zip(put_on_pins(walk[: len(groups)], on_pins), groups, strict=True):
        terminals[[s.index for s in group]] = core
    connections = connect(network, tuple(slices))
    forward, back = _destinations(network, slices, terminals, connections, chip.cores)
    x, y = chip.io.router
    io_router = int(x + chip.noc.columns * y)
    multicast = chip.noc.cast == "multicast"
    size = (chip.noc.columns, chip.noc.rows)
    return Mapping(
        network=network,
        chip=chip,
        slices=tuple(slices),
        terminals=terminals,
        demands=tuple(demands),
        connections=connections,
        routes=route(terminals, forward, *size, io_router, multicast, each),
        ready_routes=route(terminals, back, *size, io_router, multicast, each),
        placer=placer if placement is None else GIVEN,
    )


def _check_execution(network: Network, chip: Chip) -> None:
    """Raise an InputError where the chip's execution has no way to time this network."""
    if network.has_delays and chip.execution.mode == "dataflow":
        delayed = next(p for p in network.projections if getattr(p, "delay", 0))
        raise InputError(
            f"dataflow execution has no global timestep, and the {delayed.label} carries a delay",
            field="execution.mode",
            found="dataflow",
            expected="barrier",
        )
    if network.has_products and chip.execution.mode != "dataflow":
        product = next(p for p in network.projections if isinstance(p, Product))
        raise InputError(
            f"the {product.label} must wait until its other operand is complete, which only end markers tell",
            field="execution.mode",
            found=chip.execution.mode,
            expected="dataflow",
        )


def _check_population(population: Population, chip: Chip) -> None:
    """Raise where a chip has no unit that does what a population's neurons do."""
    if population.needs_function_unit and not chip.core.function_unit.lanes:
        raise MappingError(
            layer=population.name,
            resource="core.function_unit.lanes",
            demand=1,
            capacity=0,
            unit=f"lane of a function unit for {population.function}",
            terms=(f"one lane at least for {population.function} of {population.size:,} neurons",),
            levers=("a chip whose cores have a function unit",),
        )
    if population.role != "input":
        update_cost(chip.core.threshold_unit.kind, population.coding.need())  # raises where the unit cannot serve
        _check_neurons(population, chip)


def _check_neurons(population: Population, chip: Chip) -> None:
    """Raise a MappingError where a chip's neurons cannot send what a population's do, or its synapses not pool."""
    unit_spikes = (
        "convert or recode the network to integrate-and-fire over T timesteps (coding if), which sends unit spikes"
    )
    most, coding = chip.core.threshold_unit.most_thresholds, population.coding
    if most is not None and population.role != "output" and coding.max_level > most:
        thresholds = coding.need().thresholds == coding.max_level
        raise MappingError(
            layer=population.name,
            resource="core.threshold_unit.most_thresholds",
            demand=coding.max_level,
            capacity=most,
            unit="thresholds of each neuron" if thresholds else "values that a spike may stand for",
            terms=(f"levels 1 to {coding.max_level} of coding {coding.kind!r}",),
            levers=(unit_spikes, "a chip whose neurons have several thresholds"),
        )
    if population.function == "max" and not chip.core.max_pooling:
        raise MappingError(
            layer=population.name,
            resource="core.max_pooling",
            demand=1,
            capacity=0,
            unit="way to keep the largest of a window",
            terms=(f"max pooling into {population.size:,} neurons",),
            levers=("average pooling, or a stride, instead of max pooling", "a chip whose synapses can compare"),
        )


def _group(slices: list[Slice], demands: list[Demand], chip: Chip, fixed: dict[int, int]) -> list[list[Slice]]:
    """Slices that share a core: one each if the cores suffice, else first-fit in network order.

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


def _too_many(slices: list[Slice], demands: list[Demand], groups: int, chip: Chip) -> MappingError:
    """Name the layer that takes most cores and the limit that cuts the network into so many slices."""
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
    largest = sorted(per_layer, key=per_layer.__getitem__, reverse=True)[:3]
    needed = ceil_div(groups, chip.noc.columns * chip.noc.cores_per_router)
    alone = chip.core.threshold_unit.sharing == "core"
    one_table = ("set core.threshold_unit.sharing to population: a core's one table serves one layer",) if alone else ()
    return MappingError(
        layer=None,
        resource="noc.columns × noc.rows" + (" × noc.cores_per_router" if chip.noc.cores_per_router > 1 else ""),
        demand=groups,
        capacity=chip.cores,
        unit="cores",
        terms=tuple(f"{per_layer[name]:,} slices of layer {name!r}" for name in largest),
        levers=(
            f"a mesh of {chip.noc.columns} columns × {needed} rows",
            f"raise {field}, the fullest limit ({fill[tightest]:.0%} of the whole chip's)",
            *one_table,
        ),
    )


def _destinations(
    network: Network, slices: list[Slice], terminals: np.ndarray, connections: Connections, io: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Terminals that each slice's packets must reach, and those of its sources (for ready tokens)."""
    forward: list[list[int]] = [[] for _ in slices]
    back: list[list[int]] = [[] for _ in slices]
    for a, b in zip(connections.source, connections.target, strict=True):
        forward[a].append(int(terminals[b]))
        back[b].append(int(terminals[a]))
    for s in slices:
        if network[s.population].role == "output":
            forward[s.index].append(io)
    return forward, back
