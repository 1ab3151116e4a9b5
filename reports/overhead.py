"""What many thresholds cost beside one: registers, compares, wider spikes and synapse arithmetic.

Everything is a count of this run times a price of this chip. "Beyond one threshold" compares, neuron update by neuron
update and synaptic operation by synaptic operation, with what a single unsigned threshold (IF) would have done *in the
same place for the same spikes*: one compare, one threshold read, no encode, one cycle, no payload, no multiply. It does
not say what IF over T steps would cost as a whole; that is simulated (`sfnhw.reports.comparison`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.chip import Chip, Price, SquareMillimetres, comparators, core_area, core_leakage
from sfnhw.chip.area import NOTHING, memory_area, register_area, threshold_unit_area
from sfnhw.chip.links import between_chips
from sfnhw.chip.sharing import Words, memory_words, table_words, unit_update
from sfnhw.mapping.packet_formats import packing
from sfnhw.mapping.slices import Slice
from sfnhw.mapping.unit_cycles import function_cycles
from sfnhw.network import Network, Population
from sfnhw.neurons import ThresholdNeed
from sfnhw.reports.built_parts import built_area, built_leakage_w
from sfnhw.reports.level_bits import level_bits
from sfnhw.reports.wider_spike import wider_spike
from sfnhw.run import Run
from sfnhw.sim import UNITS
from sfnhw.sim.counts import projection_arithmetic
from sfnhw.units import ceil_div, joules, seconds

ONE = ThresholdNeed("bank", 1, False, "uniform")
THRESHOLD_ACTIONS = ("threshold_read", "compare", "encode")
SYNAPSE_ACTIONS = ("decode_read", "multiply_bit", "shift_bit")


def is_multilevel(population: Population) -> bool:
    """Whether a population's spikes carry one of N > 1 thresholds (not: graded values, readouts, unit spikes)."""
    need = population.coding.need()
    return need.kind == "bank" and need.thresholds > 1


def overhead(run: Run) -> dict[str, Any]:
    """Return the multi-threshold overhead of a run as JSON values; energies, times and counts are per inference.

    Keys: ``thresholds`` (N by layer), ``registers``, ``area`` (what this network needs), ``built`` (what the chip has,
    `sfnhw.reports.built_parts`, and its leakage), ``threshold_unit`` (actions), ``time``, ``payload``,
    ``synapse``, ``wider_spike`` (`sfnhw.reports.wider_spike`), ``total`` (shares of the run's energy, time and area). Each energy is ``{value, low, high}`` in J.
    In ``total``, work is what extra actions take, static what leakage and clock of the extra cycles take, and in all other
    cycles the leakage of the chip's parts beyond one threshold. It is an upper bound (``at_most``), as extra cycles may
    overlap with other work.
    """
    layers = {p.name: p.coding.need() for p in run.network.populations if _has_bank(p)}
    carriers = {p.name for p in run.network.populations if is_multilevel(p)}
    unit = _threshold_actions(run)
    synapse = _synapse(run)
    payload = _payload(run)
    time = _time(run)
    area = _area(run)
    parts = [
        *(row["excess_energy_j"] for row in unit.values()),
        *(row["energy_j"] for row in synapse["by_action"].values()),
    ]
    work = _sum_bands([*parts, payload["extra_flits_energy_j"]])
    held = _registers(run)
    built = _built(run, time, held) if layers else {**built_area(run), **_no_leakage()}
    static = _sum_bands([time["leakage_at_most_energy_j"], time["clock_energy_j"], built["leakage_energy_j"]])
    energy = _sum_bands([work, static])
    total_j = joules(run.cost.total.value_aj) / run.samples
    return {
        "thresholds_by_layer": {name: need.thresholds for name, need in layers.items()},
        "registers": held,
        "area": area,
        "built": built,
        "threshold_unit": unit,
        "time": time,
        "payload": payload,
        "synapse": synapse,
        "wider_spike": wider_spike(
            run, carriers, _sum_bands([row["energy_j"] for row in synapse["by_action"].values()])
        ),
        "total": {
            "work_energy_j": work,
            "static_at_most_energy_j": static,
            "energy_at_most_j": energy,
            "share_of_energy_work": work["value"] / total_j if total_j else 0.0,
            "share_of_energy_at_most": energy["value"] / total_j if total_j else 0.0,
            "share_of_latency_at_most": time["share_of_latency_at_most"],
            "share_of_area": area["share_of_used_cores"],
            "share_of_area_as_built": built["share_of_used_cores"] if layers else 0.0,
        },
    }


def needed_unit_area(run: Run) -> SquareMillimetres:
    """Return the area of the threshold units and registers that the network needs, summed over the cores it uses."""
    units, words, _ = _unit_and_registers(run, single=False)
    return units + words


def energy_j(run: Run, action: str, amount: int) -> dict[str, float]:
    """Return ``{value, low, high}`` in J per inference of `amount` actions in the whole run."""
    return _per_inference(run, astuple(run.chip.energy_price(action)), amount)


def _has_bank(population: Population) -> bool:
    """Whether a threshold unit works for it: pooled maxima pass levels on without comparing with thresholds."""
    return is_multilevel(population) and population.function != "max"


def _sum_bands(bands: list[dict[str, float]]) -> dict[str, float]:
    return {key: sum(b[key] for b in bands) for key in ("value", "low", "high")}


def _updates(run: Run) -> dict[str, int]:
    return run.result.by_population(run.result.counts.updates)


def _threshold_actions(run: Run) -> dict[str, dict[str, Any]]:
    """Compares, threshold reads and encodes of the multi-threshold layers, and what one threshold would have done.

    Thresholds of single neurons are read from state memory: `state_read` then counts those words, and no others.
    """
    core, updates = run.chip.core, _updates(run)
    field = {"threshold_read": "threshold_reads", "compare": "compares", "encode": "encodes"}
    one = unit_update(core, ONE)
    out = {}
    for action in THRESHOLD_ACTIONS:
        count = single = 0
        for p in run.network.populations:
            if _has_bank(p):
                count += updates[p.name] * getattr(unit_update(core, p.coding.need()), field[action])
                single += updates[p.name] * getattr(one, field[action])
        out[action] = _beside_one(run, action, count, single)
    if core.threshold_unit.sharing == "neuron":
        out["state_read"] = _beside_one(run, "state_read", *_memory_reads(run))
    return out


def _beside_one(run: Run, action: str, count: int, single: int) -> dict[str, Any]:
    return {
        "count": count / run.samples,
        "single_threshold_count": single / run.samples,
        "energy_j": energy_j(run, action, count),
        "excess_energy_j": energy_j(run, action, count - single),
    }


def _memory_reads(run: Run) -> tuple[int, int]:
    """Words of state memory read for the thresholds of the multi-threshold layers, and for one threshold each."""
    core, updates = run.chip.core, run.result.counts.updates.sum(axis=1)
    count = single = 0
    for s in run.mapping.slices:
        p = run.network[s.population]
        if _has_bank(p):
            frames = int(updates[s.index]) // max(1, s.neurons)
            count += frames * memory_words(core, p.coding.need(), s.neurons)
            single += frames * memory_words(core, ONE, s.neurons)
    return count, single


def _synapse(run: Run) -> dict[str, Any]:
    """Decode, multiply and shift at the synapses that multi-level spikes feed; unit spikes need none of them."""
    result, network = run.result, run.network
    rows = result.tables.rows
    operations = result.counts.row_synapses.sum(axis=1)
    spikes = result.counts.row_spikes.sum(axis=1)
    amounts = dict.fromkeys(SYNAPSE_ACTIONS, 0)
    fed = 0
    for k, how in enumerate(projection_arithmetic(run.mapping)):
        mine = rows.projection == k
        if not is_multilevel(network[network.projections[k].source]) or how.largest_of:
            continue
        fed += int(operations[mine].sum())
        amounts["decode_read"] += int(spikes[mine].sum()) * how.decodes
        amounts["multiply_bit"] += int(operations[mine].sum()) * how.multiply_bits
        amounts["shift_bit"] += int(operations[mine].sum()) * how.shift_bits
    return {
        "operations": fed / run.samples,
        "accumulate_energy_j": energy_j(run, "accumulate", fed),
        "by_action": {
            action: {"count": amount / run.samples, "energy_j": energy_j(run, action, amount)}
            for action, amount in amounts.items()
        },
    }


def _ways(run: Run) -> NDArray[np.int64]:
    """(4, slices) flits of the spike packets of each slice, in routers and over links of rows, of columns, between chips."""
    nodes, flits = run.result.tables.nodes, run.result.counts.nodes.flits.total()
    crossing, on_link = between_chips(run.chip, nodes.link), nodes.link >= 0
    along_columns = on_link & (nodes.link % 4 >= 2) & ~crossing
    out = np.zeros((4, len(run.mapping.slices)), np.int64)
    kinds = (np.ones_like(on_link), on_link & ~along_columns & ~crossing, along_columns, crossing)
    for counts, kind in zip(out, kinds, strict=True):
        np.add.at(counts, nodes.owner[kind], flits[kind])
    return out


def _chip_link_price(chip: Chip) -> Price:
    """Price of a flit from chip to chip: its bits over pins. [pJ]"""
    return Price(*(value * chip.noc.flit_bits for value in astuple(chip.energy_price("io_bit"))))


def _payload(run: Run) -> dict[str, Any]:
    """Level bits on the wires: flits that exist only because of them, and their share of the bits in the flits sent.

    A level that fits into a flit that was sent anyway adds no flit on this chip; its share of the packet's bits says
    what part of the flit energy carries it. That share is an attribution and is not part of the total.
    """
    chip, ways = run.chip, _ways(run)
    prices = (chip.energy_price("router_flit"), chip.link_price(False), chip.link_price(True), _chip_link_price(chip))
    layers: dict[str, dict[str, Any]] = {}
    extra = _no_energy()
    carried = _no_energy()
    found = level_bits(run, {p.name for p in run.network.populations if is_multilevel(p)})
    for s in run.mapping.slices:
        if not is_multilevel(run.network[s.population]):
            continue
        laid = packing(run.network[s.population], s.block, chip, run.result.formats[s.population].format)
        flits, bits = int(found.flits[s.index]), int(found.bits[s.index])
        added = flits - int(found.flits_without[s.index])
        # Every flit of a slice passes all of its tree: what its level adds is the same part of it everywhere.
        passed = ways[:, s.index].tolist()
        longer = [amount * added // flits if flits else 0 for amount in passed]
        share = (bits - int(found.bits_without[s.index])) / bits if bits else 0.0
        row = layers.setdefault(s.population, {"payload_bits": laid.payload, "packet_bits": 0, "extra_flits": 0.0})
        row["packet_bits"] = max(row["packet_bits"], laid.bits(laid.full, laid.full))
        row["extra_flits"] += sum(longer[1:]) / run.samples
        for one, amount, beyond in zip(prices, passed, longer, strict=True):
            extra = _sum_bands([extra, _per_inference(run, astuple(one), beyond)])
            whole = _per_inference(run, astuple(one), amount)
            carried = _sum_bands([carried, {key: value * share for key, value in whole.items()}])
    by_action = run.cost.by_action()
    network_j = joules(by_action["router_flit"].value_aj + by_action["link_flit"].value_aj) / run.samples
    network_j += _per_inference(run, astuple(_chip_link_price(chip)), run.result.chip_hops)["value"]
    return {
        "layers": layers,
        "extra_flit_hops": sum(row["extra_flits"] for row in layers.values()),
        "extra_flits_energy_j": extra,
        "carried_energy_j": carried,
        "share_of_network_energy": carried["value"] / network_j if network_j else 0.0,
    }


def _no_energy() -> dict[str, float]:
    return {"value": 0.0, "low": 0.0, "high": 0.0}


def _time(run: Run) -> dict[str, Any]:
    """Cycles of the threshold unit beyond one threshold's, the most that they add to the latency, and its static energy.

    A core leaks while a layer waits for its thresholds. Layers follow one another and slices of one layer work side by
    side, so the sum over layers of the longest extra walk of any core bounds the extra latency from above: walks that
    overlap with other work add less. The clock is for the extra cycles in which a unit really works.
    """
    unit = run.chip.core.threshold_unit
    updates = run.result.counts.updates.sum(axis=1)
    extra = 0
    walked = int(run.result.timing.busy[:-1, UNITS.index("threshold")].sum())
    walks: dict[str, dict[int, int]] = {}
    for s in run.mapping.slices:
        p = run.network[s.population]
        frames = int(updates[s.index]) // max(1, s.neurons)
        groups = ceil_div(s.neurons, unit.lanes)
        if _has_bank(p):
            # Where a function unit takes longer than the thresholds, one threshold would not have been faster.
            floor = function_cycles(run.chip, p)
            single = max(unit_update(run.chip.core, ONE).cycles, floor)
            beyond = frames * groups * (max(unit_update(run.chip.core, p.coding.need()).cycles, floor) - single)
            extra += beyond
            cores = walks.setdefault(p.name, {})
            core = int(run.mapping.terminals[s.index])
            cores[core] = cores.get(core, 0) + beyond
    # One threshold takes time too, so the extra is never all of the latency.
    total = int(run.result.timing.latency.sum())
    cycles = min(sum(max(cores.values()) for cores in walks.values()), total)
    return {
        "extra_unit_cycles": extra / run.samples,
        "share_of_unit_cycles": extra / walked if walked else 0.0,
        "latency_at_most_s": seconds(cycles / run.samples, run.chip.clock_mhz),
        "share_of_latency_at_most": cycles / total if total else 0.0,
        "leakage_at_most_energy_j": _leakage_j(run, cycles),
        "clock_energy_j": _per_inference(run, astuple(run.chip.static_price("core_clock")), extra),
    }


def _built(run: Run, time: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    """Area and leakage of the chip's parts beyond one threshold.

    With one threshold an inference would take L − x cycles (x: `latency_at_most_s`), and these parts would leak in none
    of its L. What all else leaks in x is `leakage_at_most_energy_j` less what they leak in it: so they are left with L − x.
    """
    in_memory = held["in_state_memory_bits"] // run.chip.core.threshold_unit.register_bits
    watts = built_leakage_w(run, in_memory - held["single_threshold_words"] if in_memory else 0)
    rest_s = run.result.latency_s - time["latency_at_most_s"]
    energy = {key: watt * rest_s for key, watt in watts.items()}
    return {**built_area(run), "leakage_power_w": watts, "leakage_energy_j": energy}


def _no_leakage() -> dict[str, Any]:
    return {"leakage_power_w": _no_energy(), "leakage_energy_j": _no_energy()}


def _leakage_j(run: Run, cycles: int) -> dict[str, float]:
    """Leakage of `cycles` cycles in the whole run: of powered cores, and of all routers."""
    chip = run.chip
    powered = run.mapping.cores_used if chip.execution.gate_idle_cores else chip.cores
    cores, routers = astuple(core_leakage(chip)), astuple(chip.static_price("router_leakage"))
    # 1 µW for one cycle of f MHz is 1/f pJ.
    pj = [(powered * c + chip.routers * r) / chip.clock_mhz for c, r in zip(cores, routers, strict=True)]
    return _per_inference(run, pj, cycles)


def _per_inference(run: Run, pj: Sequence[float], amount: int) -> dict[str, float]:
    """`amount` times (value, low, high) pJ in the whole run, as J per inference; what is saved is most at the high price."""
    value, *ends = (amount * price * 1e-12 / run.samples for price in pj)
    return {"value": value, "low": min(ends), "high": max(ends)}


def _tables(run: Run) -> Iterator[Slice]:
    """Slices that have threshold tables of their own: where a core has one, the first of its slices."""
    seen: set[int] = set()
    for s in run.mapping.slices:
        core = int(run.mapping.terminals[s.index])
        need, function = run.network[s.population].coding.need(), run.network[s.population].function
        if core == run.mapping.io or need.kind != "bank" or function == "max":
            continue
        if run.chip.core.threshold_unit.sharing != "core" or core not in seen:
            yield s
        seen.add(core)


def _words(run: Run, s: Slice, need: ThresholdNeed) -> Words:
    return table_words(run.chip.core.threshold_unit, need, s.block.channels, s.neurons)


def _words_area(run: Run, words: Words) -> SquareMillimetres:
    stored = memory_area(run.chip, words.memory) if words.memory else NOTHING
    return register_area(run.chip, words.registers) + stored


def _registers(run: Run) -> dict[str, Any]:
    """Threshold words that the multi-threshold slices hold, and that one threshold each would need."""
    unit = run.chip.core.threshold_unit
    many = one = Words(0)
    for s in _tables(run):
        p = run.network[s.population]
        if _has_bank(p):
            many, one = many + _words(run, s, p.coding.need()), one + _words(run, s, ONE)
    words, single = many.registers + many.memory, one.registers + one.memory
    bits = unit.register_bits
    return {
        "words": words,
        "bits": words * bits,
        "in_state_memory_bits": many.memory * bits,
        "area_mm2": _words_area(run, many).as_json(),
        "single_threshold_words": single,
        "single_threshold_bits": single * bits,
        "single_threshold_area_mm2": _words_area(run, one).as_json(),
        "provided_words": unit.registers * run.chip.cores,
    }


def _unit_and_registers(run: Run, *, single: bool) -> tuple[SquareMillimetres, SquareMillimetres, int]:
    """Area of units and of registers, and comparators of all lanes, over the used cores; with one threshold each if
    `single`. A unit is sized for the widest bank of the slices on its core; a core without a bank needs none."""
    chip: Chip = run.chip
    unit = chip.core.threshold_unit
    widest: dict[int, ThresholdNeed] = {}
    words = Words(0)
    for s in _tables(run):
        core = int(run.mapping.terminals[s.index])
        need = ONE if single else run.network[s.population].coding.need()
        words = words + _words(run, s, need)
        before = widest.get(core)
        if before is None or need.thresholds * (1 + need.signed) > before.thresholds * (1 + before.signed):
            widest[core] = need
    units = NOTHING
    comparing = 0
    for need in widest.values():
        units = units + threshold_unit_area(chip, need.thresholds, need.signed)
        comparing += comparators(unit.kind, need) * unit.lanes
    return units, _words_area(run, words), comparing


def _area(run: Run) -> dict[str, Any]:
    """What the used cores' threshold units and registers take for this network, beyond one threshold each."""
    units, words, comparing = _unit_and_registers(run, single=False)
    one_unit, one_words, one_comparing = _unit_and_registers(run, single=True)
    extra = (units - one_unit) + (words - one_words)
    core = core_area(run.chip)
    rest = sum((a for name, a in core.items() if not name.startswith(("threshold_", "router"))), NOTHING)
    routers = core["router"].times(run.mapping.routers_used)  # of a tile, once
    cores = rest.times(run.mapping.cores_used) + routers + units + words
    provided = (core["threshold_unit"] + core["threshold_registers"]).times(run.chip.cores)
    return {
        "threshold_unit_mm2": units.as_json(),
        "registers_mm2": words.as_json(),
        "single_threshold_mm2": (one_unit + one_words).as_json(),
        "excess_mm2": extra.as_json(),
        "comparators": comparing,
        "single_threshold_comparators": one_comparing,
        "used_cores_mm2": cores.as_json(),
        "share_of_used_cores": extra.value_mm2 / cores.value_mm2 if cores.value_mm2 else 0.0,
        "provided_by_chip_mm2": provided.as_json(),
    }


def levels_of(network: Network) -> int:
    """Return the most thresholds that any population has (0: none has a bank)."""
    return max((p.coding.need().thresholds for p in network.populations if p.coding.need().kind == "bank"), default=0)
