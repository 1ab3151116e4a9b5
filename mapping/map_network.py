"""map_network: slices, then cores, then routes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from sfnhw.activity import Activity
from sfnhw.chip import Chip
from sfnhw.chip.threshold_unit import update_cost
from sfnhw.errors import InputError, MappingError, nearest
from sfnhw.mapping.connections import Connections, connect
from sfnhw.mapping.grouping import group_slices, too_many_cores
from sfnhw.mapping.mapping import Mapping
from sfnhw.mapping.objectives import FEWEST, check_objective, choose_splits
from sfnhw.mapping.packet_formats import formats_for
from sfnhw.mapping.pins import Pins, Placement, decided, pinned_layers
from sfnhw.mapping.placement import DRAW_NOTHING, FREE, PLACERS, SEARCHES, Mesh, Problem
from sfnhw.mapping.rounds import LayOut, fits, map_rounds, plan_rounds
from sfnhw.mapping.route_tables import check_tables
from sfnhw.mapping.routes import Ints, Targets
from sfnhw.mapping.slices import Demand, Slice
from sfnhw.mapping.slicing import Splits, slice_network
from sfnhw.mapping.traffic import PINS, build_nets, slice_traffic
from sfnhw.mapping.turns import lay_routes
from sfnhw.network import Network, Population, Product

PLACER = "hilbert"
# Of seeds and of moves: what 63 bits hold with room to multiply.
MOST = 10**15
# Placer, activity, seed, moves and progress.
Rule = tuple[str, Activity | None, int, int | None, Callable[[int, int], None] | None]
# What `Mapping.placer` says where the user gave the whole placement.
GIVEN = "given"


def map_network(
    network: Network,
    chip: Chip,
    *,
    placer: str = PLACER,
    objective: str = FEWEST,
    activity: Activity | None = None,
    seed: int = 0,
    moves: int | None = None,
    pins: Pins | None = None,
    placement: Placement | None = None,
    splits: Splits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Mapping:
    """Map a network on a chip.

    One slice a core where the cores suffice; else slices that follow one another share a core as far as every
    limit allows. `hilbert` (or `space-filling`) and `sequential` follow the network's order along a walk over the mesh,
    and fill the cores of a router one after the other; `random` puts them anywhere; `annealed` searches for the fewest
    flits over links, and `annealed-balanced` then empties the fullest link for up to 5 % more of them.

    Parameters
    ----------
    placer : a name from `PLACERS`.
    objective : a name from `OBJECTIVES`: how layers are cut. `cores`: the fewest slices, then the fewest copies of weights;
        `latency`, `throughput` and `energy`: what a model of the work of each core says is best (see
        `sfnhw.mapping.objectives`), with as many slices as there are cores at most. Layers in `splits` or `pins` keep theirs.
    activity : what really spikes, recorded or drawn from rates: `annealed` weighs each slice with the packets that it sends,
        and an objective but `cores` its work, so the mapping then depends on the inputs; `noc.routing: o1turn` weighs its trees
        so too. None: as if every neuron sent one packet an inference.
    seed : of `random` and of the searches; the same seed gives the same mapping.
    moves : that `annealed` may try, and after it each run of `annealed-balanced`; None: their own rule.
    pins : layer → core, or one core for each of its slices in order (a core may stand several times); ``layer[i]`` is
        its slice i alone. The rest is placed around them, and may share their cores where the chip is full.
    placement : the same for all layers but the inputs; or one core for each of their slices, in network order; or the
        path of a YAML or JSON file with that under the key ``placement``. No placer is asked then.
    splits : layer → (parts of its channels, parts of its rows), nearly equal ones; other layers are cut as they must be.
    progress : called as progress(moves tried, moves in all).

    Raises
    ------
    MappingError : something is short, on a core or in a router; the error says what, by how much, and which layer. Too few
        cores are no error where `execution.rounds` is auto: the network is then mapped in rounds (`Mapping.rounds`).
    ChipError : the chip's threshold unit cannot serve a coding's thresholds.
    InputError : a packet format without room for bursts; pins or a placement that cannot be (see `sfnhw.mapping.pins`); a
        placement with a placer or an objective; unknown placer or objective; a seed or a number of moves that is none;
        dataflow execution of a network with delays; a barrier for one with products.
    ActivityError : an activity of another network.
    """
    _check_options(placer, objective, placement, seed, moves)
    _check_execution(network, chip)
    for population in network.populations:
        _check_population(population, chip)
    if objective != FEWEST:
        keep = pinned_layers(pins, network)
        splits = choose_splits(network, chip, objective, activity=activity, splits=splits, keep=keep).splits
    slices, demands = slice_network(network, chip, splits)
    fixed = decided(network, slices, demands, chip, pins, placement)
    rule = (placer, activity, seed, moves, progress) if placement is None else None
    in_rounds = chip.execution.rounds == "auto" and not fits(network, slices, demands, chip)
    if in_rounds and not fixed:
        return replace(map_rounds(network, chip, slices, demands, _of_a_round(rule), placer), objective=objective)
    groups = group_slices(slices, demands, chip, fixed)
    if len(groups) > chip.cores and chip.execution.rounds == "auto":
        raise InputError(
            "with what is placed by hand the network does not fit on the chip at once",
            field="pins" if placement is None else "placement",
            expected="none where there are rounds, or a larger chip",
        )
    if len(groups) > chip.cores:
        raise too_many_cores(slices, demands, len(groups), chip, _rounds_it_takes(network, slices, demands, chip))
    mapping = laid_out(network, chip, slices, demands, groups, fixed, connect(network, tuple(slices)), rule)
    return replace(mapping, objective=objective)


def _of_a_round(rule: Rule | None) -> LayOut:
    """Return what puts the part of a round on the chip."""

    def lay_out(
        part: Network,
        chip: Chip,
        slices: list[Slice],
        demands: list[Demand],
        connections: Connections,
        home: np.ndarray,
    ) -> Mapping:
        return laid_out(part, chip, slices, demands, group_slices(slices, demands, chip, {}), {}, connections, rule)

    return lay_out


def _rounds_it_takes(network: Network, slices: list[Slice], demands: list[Demand], chip: Chip) -> int | None:
    """Rounds on this chip, or None where rounds cannot be."""
    try:
        return len(plan_rounds(network, slices, demands, chip))
    except MappingError:
        return None


def laid_out(
    network: Network,
    chip: Chip,
    slices: list[Slice],
    demands: list[Demand],
    groups: list[list[Slice]],
    fixed: dict[int, int],
    connections: Connections,
    rule: Rule | None,
) -> Mapping:
    """Place groups of slices and lay their routes; without a rule every group is where `fixed` has it."""
    node_of = np.full(len(slices), PINS, np.int64)
    for node, group in enumerate(groups):
        node_of[[s.index for s in group]] = node
    seats = np.array([fixed.get(group[0].index, FREE) for group in groups], np.int64)
    if rule is not None:
        placer, activity, seed, moves, progress = rule
        problem = _problem(network, slices, node_of, connections, chip, activity)
        problem = replace(problem, fixed=seats, seed=seed, moves=moves, progress=progress)
        seats = PLACERS[placer](problem)
    terminals = np.append(seats, chip.cores)[node_of]  # the chip's pins come last
    forward, back = _destinations(network, slices, terminals, connections, chip.cores)
    weighed = None
    if chip.noc.routing == "o1turn":
        weighed = slice_traffic(network, tuple(slices), chip, rule[1] if rule is not None else None)
    routes, ready_routes = lay_routes(chip, terminals, forward, back, weighed)
    mapping = Mapping(
        network=network,
        chip=chip,
        slices=tuple(slices),
        terminals=terminals,
        demands=tuple(demands),
        connections=connections,
        routes=routes,
        ready_routes=ready_routes,
        placer=GIVEN if rule is None else rule[0],
    )
    check_tables(mapping)
    return mapping


def _check_options(placer: str, objective: str, placement: Placement | None, seed: int, moves: int | None) -> None:
    """Raise an InputError where options are none, or exclude each other."""
    for field, value in (("seed", seed), ("moves", moves)):
        if not (value is None and field == "moves") and (type(value) is not int or not 0 <= value <= MOST):
            raise InputError(field=field, found=value, expected=f"an integer from 0 to {MOST:,}")
    check_placer(placer)
    if moves is not None and placer not in SEARCHES:
        text = f"placer {placer} tries none"
        raise InputError(text, field="moves", found=moves, expected=f"placer {' or '.join(SEARCHES)} with it")
    if seed and placer in DRAW_NOTHING:
        raise InputError(f"placer {placer} draws nothing", field="seed", found=seed, expected="0, or another placer")
    if placement is not None and placer != PLACER:
        raise InputError("a placement says where everything is", field="placer", found=placer, expected="one of them")
    check_objective(objective)
    if placement is not None and objective != FEWEST:
        text = "a placement says where each slice is, and so how layers are cut"
        raise InputError(text, field="objective", found=objective, expected="one of them")


def check_placer(placer: Any) -> str:
    """Return the placer's name; raises InputError for an unknown one."""
    if not isinstance(placer, str) or placer not in PLACERS:
        hint = nearest(str(placer), list(PLACERS))
        raise InputError(field="placer", found=placer, expected=f"one of {', '.join(PLACERS)}{hint}")
    return placer


def _check_execution(network: Network, chip: Chip) -> None:
    """Raise an InputError where the chip's execution has no way to time this network."""
    if network.has_delays and chip.execution.mode == "dataflow":
        delayed = next(p for p in network.projections if getattr(p, "delay", 0))
        raise InputError(
            f"dataflow execution has no timesteps that follow each other, and the {delayed.label} carries a delay",
            field="execution.mode",
            found="dataflow",
            expected="barrier or asynchronous",
        )
    if network.has_products and chip.execution.mode == "barrier":
        product = next(p for p in network.projections if isinstance(p, Product))
        raise InputError(
            f"the {product.label} must wait until its other operand is complete, which only end markers tell",
            field="execution.mode",
            found=chip.execution.mode,
            expected="dataflow or asynchronous",
        )


def _check_population(population: Population, chip: Chip) -> None:
    """Raise where a chip has no unit that does what a population's neurons do, or no packet for what they send."""
    formats_for(population, chip)
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


def _problem(
    network: Network,
    slices: list[Slice],
    node_of: np.ndarray,
    connections: Connections,
    chip: Chip,
    activity: Activity | None,
) -> Problem:
    """What there is to be placed, and between what the packets go."""
    traffic = slice_traffic(network, tuple(slices), chip, activity)
    is_output = np.array([network.to_pins(s.population) for s in slices])
    nets = build_nets(node_of, connections, is_output, traffic, chip.noc.cast)
    return Problem(Mesh.of(chip), nets, routing=chip.noc.routing)


def _destinations(
    network: Network, slices: list[Slice], terminals: Ints, connections: Connections, io: int
) -> tuple[Targets, Targets]:
    """Terminals that each slice's packets must reach, and those of its sources (for ready tokens)."""
    outputs = np.array([s.index for s in slices if network.to_pins(s.population)], np.int64)
    forward = Targets.of(
        np.concatenate([connections.source.astype(np.int64), outputs]),
        np.concatenate([terminals[connections.target], np.full(len(outputs), io)]),
        len(slices),
    )
    return forward, Targets.of(connections.target.astype(np.int64), terminals[connections.source], len(slices))
