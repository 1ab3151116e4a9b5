"""The Loihi presets against sums worked by hand, line by line, from the published tables.

Davies et al. 2018, Table 2: synaptic operation 23.6 pJ, 3.5 ns; neuron update inactive 52 pJ, 5.3 ns, active 81 pJ,
8.4 ns; within-tile spike 1.7 pJ, 2.1 ns; tile hop east or west 3.0 pJ, 4.1 ns, north or south 4.0 pJ, 6.5 ns; barrier
113 to 465 ns for 1 to 32 tiles. A cycle of the preset is 0.1 ns, a picojoule 10⁶ aJ.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.actions import ACTION_NAMES
from sfnhw.activity import Activity
from sfnhw.chip import chip_area, load_chip
from sfnhw.errors import ChipError, MappingError
from sfnhw.estimate import estimate
from sfnhw.mapping import map_network, route
from sfnhw.network import Dense, Elementwise, MaxPool, Network, Population, Sparse
from sfnhw.neurons import IF, SFN, TTFS, Coding, Events, Graded, Polarity, Readout
from sfnhw.reports.figures.mesh import as_cells, core_centres
from sfnhw.reports.run_json import action_rows
from sfnhw.reports.view import RunView
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity

LOIHI, CALIBRATED = load_chip("loihi"), load_chip("loihi-calibrated")
PJ = 10**6  # attojoules


def three_two_one(outputs: int = 1, hidden: int = 2) -> Network:
    """3 unit-spike inputs → `hidden` IF neurons → one readout neuron in each of `outputs` populations, T = 1."""
    names = ["y", "z"][:outputs]
    readouts = [Population(name, (1,), Readout(1), role="output") for name in names]
    x, h = Population("x", (3,), Events(1), role="input"), Population("h", (hidden,), IF(1))
    fan_out = [Dense("h", name, np.ones((1, hidden))) for name in names]
    return Network((x, h, *readouts), (Dense("x", "h", np.ones((hidden, 3))), *fan_out))


def on_cores(chip, network, cores):
    """The network's slices, one a population, on chosen cores; the input stays at the pins (tile 0)."""
    mapping = map_network(network, chip)
    terminals = np.array([mapping.io, *cores], np.int64)
    to = [[cores[0]], cores[1:], *([mapping.io] for _ in cores[1:])]
    routes = route(terminals, to, chip.noc.columns, chip.noc.rows, 0, False, chip.noc.cores_per_router)
    return type(mapping)(**{**vars(mapping), "terminals": terminals, "routes": routes})


def spikes(**levels):
    """One sample, one timestep."""
    return Activity({name: np.array(level).reshape(1, 1, -1) for name, level in levels.items()})


def events_aj(cost):
    """Energy by action, of those that cost something; static energy left out."""
    return {name: e.value_aj for name, e in cost.by_action().items() if e.value_aj and name in ACTION_NAMES}


def test_two_neurons_in_one_tile_by_hand():
    """x (3 spikes, at the pins of tile 0) → h on core 0 (2 neurons, the first spikes) → y on core 1 of the same tile.

    Barrier, one tile: 113 ns = 1130 cycles.
    Step 1. The pins take a spike a cycle: 0, 1, 2. One router, 2.1 ns: ready to leave in 21, 22, 23; a channel lets a
    spike go every 3 cycles: 21, 24, 27. Each feeds 2 synapses of 3.5 ns: 21 + 70 = 91, then 161, 231. Barrier: 1361.
    Step 2. h: the first neuron is active, 8.4 ns: its spike leaves in 1361 + 84 = 1445; the second, inactive, is done in
    1445 + 53 = 1498. The spike is at y after 2.1 ns, 1466, and its synapse done in 1501. Barrier: 2631.
    Step 3. y: its result is sent, which counts as active: 2631 + 84 = 2715, 2.1 ns: 2736; it has two flits (a header of 12
    bits and a value of 24), the second a cycle later: 2737. Barrier: 3867.
    """
    network = three_two_one()
    result = simulate(on_cores(LOIHI, network, [0, 1]), spikes(x=[1, 1, 1], h=[1, 0], y=[5]))
    assert result.timing.latency.tolist() == [231 + 1130 + (1501 - 1361) + 1130 + (2737 - 2631) + 1130] == [3867]
    assert result.counts.steps == 3
    cost = price(result)
    assert events_aj(cost) == {
        # 3 spikes × 2 synapses and 1 × 1, 23.6 pJ each.
        "accumulate": 7 * 23_600_000,
        # 3 updates of 52 pJ, two of which are active: 29 pJ more, 81 pJ in all.
        "neuron_update": 3 * 52 * PJ,
        "spike": 2 * (81 - 52) * PJ,
        # 3 spikes in, 1 spike, 2 flits of the result: 1.7 pJ each.
        "router_flit": 6 * 1_700_000,
    }
    # 165.2 + (2 × 81 + 52) + 10.2 pJ.
    assert sum(events_aj(cost).values()) == 389_400_000
    # 104 mW for 386.7 ns are 40216.8 pJ, whatever is used.
    assert cost.static.value_aj == 104 * 386_700_000 == 40_216_800_000
    assert cost.total.value_aj == 389_400_000 + 40_216_800_000


@pytest.mark.parametrize(
    ("core", "hop", "hop_aj", "latency"),
    [
        # East: 21 + (20 + 21) cycles, 1.7 + 3.0 pJ. Tile (1, 0) is router 1, its first core 4.
        (4, 41, 3_000_000, 4291),
        # South: 21 + (44 + 21) cycles, 1.7 + 4.0 pJ. Tile (0, 1) is router 8, its first core 32; its last is 35.
        (32, 65, 4_000_000, 4339),
        (35, 65, 4_000_000, 4339),
    ],
)
def test_two_tiles_by_hand(core, hop, hop_aj, latency):
    """As before, with y in the tile next to h's, to the east or to the south.

    Barrier, two tiles: 113 + (465 − 113)/31 ns = 1243.55 cycles, 1244.
    Step 1 as before: 231 + 1244 = 1475. Step 2: the spike leaves h in 1475 + 84 = 1559, takes 21 + hop cycles, and the
    synapse 35. Step 3: 84, 21 + hop, and 1 for the second flit.
    East: 1559 + 62 + 35 = 1656, 2900; 2984 + 62 + 1 = 3047, 4291. South: 1559 + 86 + 35 = 1680, 2924; 3008 + 86 + 1 =
    3095, 4339.
    """
    result = simulate(on_cores(LOIHI, three_two_one(), [0, core]), spikes(x=[1, 1, 1], h=[1, 0], y=[5]))
    first = 231 + 1244
    second = first + 84 + 21 + hop + 35 + 1244
    assert result.timing.latency.tolist() == [second + 84 + 21 + hop + 1 + 1244] == [latency]
    found = events_aj(price(result))
    # 3 spikes within tile 0; the spike and the result's two flits: within-tile energy once, and one hop.
    assert found["router_flit"] + found["link_flit"] == 3 * 1_700_000 + 3 * (1_700_000 + hop_aj)
    assert found["accumulate"] == 7 * 23_600_000
    assert result.totals()["link_flit"] == 3


def test_a_spike_to_two_cores_is_two_messages_by_hand():
    """h (1 neuron, core 0) → y on core 1 and z on core 2 of the same tile: unicast, a message for each core.

    Step 1: 3 spikes, one synapse each: at h in 21, 24, 27; synapses end in 56, 91, 126. Barrier 1130: 1256.
    Step 2: the spike is ready in 1256 + 84 = 1340; the port sends the copies in 1340 and 1341, of which the router's one
    virtual channel takes the second in 1343, three stages later; each core has an ejection port of its own: 1361 and 1364;
    synapses end in 1396 and 1399. Barrier: 2529.
    Step 3: y and z side by side: 2529 + 84 = 2613, router 2634; both leave over the pins, two flits and a hold of 3 cycles
    each: 2634 and 2637, with the second flit 2638. Barrier: 3768. Flit by flit as well.
    """
    network = three_two_one(outputs=2, hidden=1)
    mapping, activity = on_cores(LOIHI, network, [0, 1, 2]), spikes(x=[1, 1, 1], h=[1], y=[5], z=[5])
    result = simulate(mapping, activity)
    assert (
        result.timing.latency.tolist() == simulate(mapping, activity, fidelity="flit").timing.latency.tolist() == [3768]
    )
    assert result.timing.busy[:3, 3].tolist() == [2, 2, 2]  # ports: two copies; two flits; two flits
    totals = result.totals()
    assert (totals["packet"], totals["injection"]) == (3 + 1 + 2, 3 + 2 + 2)
    assert totals["spike"] == 3
    # 3 in, 2 copies, 2 × 2 flits of results.
    assert events_aj(price(result))["router_flit"] == 9 * 1_700_000


def test_the_calibrated_set_by_hand():
    """The first network, with the set fitted to measurements: axon-in 16 ns, synapse 3.8 ns, update 9.7 ns, spike 30 ns.

    Step 1: the pins have no axon-out; no hop, a cycle of ejection: at h in 1, 2, 3. A spike is looked up when the synapses of
    the one before are done, 160 + 2 × 38 = 236 cycles each: 237, 473, 709. One tile: 0.6 us, 6709.
    Step 2: the spike is ready in 6709 + 97 + 300 = 7106; axon-out 5.1 ns: 7157 at y, looked up 7317, synapse 7355. (The
    second neuron waits for axon-out: 7157 + 97 = 7254.) Barrier: 13355.
    Step 3: 13355 + 397 + 51 = 13803, with the second flit, which comes with the last cycle of axon-out. Barrier: 19803.
    """
    result = simulate(on_cores(CALIBRATED, three_two_one(), [0, 1]), spikes(x=[1, 1, 1], h=[1, 0], y=[5]))
    assert result.timing.latency.tolist() == [19803]
    assert events_aj(price(result)) == {
        "accumulate": 7 * 35_500_000,
        "neuron_update": 3 * 72_800_000,  # access 51.2 and update 21.6 pJ
        "spike": 2 * 69_300_000,
        "injection": 5 * 111 * PJ,  # 3 inputs, a spike, a result
    }


@pytest.mark.parametrize(("waits", "third"), [(False, 397 + 97 + 97 + 300), (True, 397 + 2 * 51 + 97 + 97 + 300)])
def test_a_neuron_waits_for_the_messages_of_the_one_before_by_hand(waits, third):
    """h has 3 neurons of which the first and the third spike, y and z are on cores of the same tile.

    A walk takes 97 cycles a neuron and 300 a spike: the first spike is ready in 397, the third neuron's in 397 + 97 + 397. Two
    messages take axon-out for 102 cycles, for which the second neuron waits, or not. The third neuron's second message is at
    z 102 cycles after it was ready, looked up in 160, and its synapse done in 38.
    """
    network = three_two_one(outputs=2, hidden=3)
    chip = CALIBRATED.replace({"core.threshold_unit.waits_for_port": waits})
    result = simulate(on_cores(chip, network, [0, 1, 2]), spikes(x=[0, 0, 0], h=[1, 0, 1], y=[5], z=[5]))
    # Step 1 is empty; step 3: a result, 397 + 51, the second of y and z leaves over the pins with it.
    assert result.timing.latency[0] == 6000 + (third + 102 + 160 + 38) + 6000 + (397 + 51) + 2 + 6000


def test_a_spike_is_a_message_to_each_core_that_its_own_neuron_feeds_by_hand():
    """h (2 neurons) → y and z, the first neuron feeds y alone, the second both: 3 messages of 4 that its slice could send."""
    network = three_two_one(outputs=2)
    keep = Sparse("h", "z", np.ones(1), np.array([0, 0, 1]), np.array([0]))
    network = Network(network.populations, (*network.projections[:2], keep))
    activity = spikes(x=[0, 0, 0], h=[1, 1], y=[5], z=[5])
    for destinations, messages in (("neuron", 3), ("slice", 4)):
        result = simulate(on_cores(LOIHI.replace({"noc.destinations": destinations}), network, [0, 1, 2]), activity)
        assert result.totals()["injection"] == messages + 2  # and two results
        assert result.totals()["axon_lookup"] == messages
        assert result.totals()["packet"] == 2 + 2
        assert result.totals()["accumulate"] == 3


def test_the_price_of_links_along_columns_stands_in_the_report(tmp_path, few_figures):
    """Count × price of both directions is the energy of link_flit; chips with one price for all links have no such part."""
    network = chain([3, 5, 5, 5, 2], IF(2))
    chip = LOIHI.replace({"core.neurons": 5, "noc.cores_per_router": 1, "noc.columns": 2})
    run = estimate(network, chip, np.ones((2, 3)), baselines=())
    row = next(row for row in action_rows(run) if row["action"] == "link_flit")
    vertical = row["vertical"]
    assert (row["price"], vertical["price"]) == (pytest.approx(1.3), pytest.approx(2.3))
    assert 0 < vertical["count"] < row["count"]
    for energy, price_of in (("energy_j", "price"), ("low_j", "price_low"), ("high_j", "price_high")):
        rest = (row["count"] - vertical["count"]) * row[price_of]
        assert row[energy] == pytest.approx((rest + vertical["count"] * vertical[price_of]) * 1e-12)
    page = (run.save(tmp_path / "run") / "report.html").read_text(encoding="utf-8")
    assert "along columns 2.3" in page
    assert "tile hop north or south" in page
    plain = estimate(network, "reference", np.ones((2, 3)), baselines=())
    assert not any("vertical" in row for row in action_rows(plain))


@pytest.mark.parametrize("table", [{"1": 5, "01": 6}, {"0": 5}, {}])
def test_a_barrier_table_that_says_no_one_thing_is_refused(table):
    with pytest.raises(
        ChipError, match=r"^execution.barrier_cycles: .*a table of such numbers by whole numbers ≥ 1, each once"
    ):
        LOIHI.replace({"execution.barrier_cycles": table})


def test_barriers_are_the_published_ones():
    assert [LOIHI.execution.barrier_cycles_of(n) for n in (1, 32)] == [1130, 4650]
    # 0.6, 1.0, 1.4 and 1.8 us from 1, 2, 4 and 29 tiles on.
    steps = [CALIBRATED.execution.barrier_cycles_of(n) for n in (1, 2, 3, 4, 28, 29, 32)]
    assert steps == [6000, 10_000, 10_000, 14_000, 14_000, 18_000, 18_000]


@given(
    st.dictionaries(st.integers(1, 64), st.integers(0, 10**6), min_size=1, max_size=5),
    st.integers(1, 80),
    st.booleans(),
)
def test_a_barrier_table_is_numpys_interpolation(table, routers, linear):
    between = "linear" if linear else "step"
    chip = LOIHI.replace({"execution.barrier_cycles": table, "execution.barrier_between": between})
    found = chip.execution.barrier_cycles_of(routers)
    keys = sorted(table)
    if linear:
        exact = np.interp(routers, keys, [table[k] for k in keys])
        assert abs(found - exact) <= 0.5 + 1e-6
    else:
        assert found == table[keys[max(0, np.searchsorted(keys, routers, "right") - 1)]]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(0, 3000))
def test_every_step_ends_with_the_barrier_of_the_tiles_used(seed, cores, barrier):
    """Another barrier makes each step longer by the difference, and changes nothing else."""
    network = chain([10, 40, 30, 5], IF(3))
    activity = random_activity(network, seed, samples=1)
    chip = LOIHI.replace({"core.neurons": 20, "noc.cores_per_router": cores})

    def run(cycles):
        mapping = map_network(network, chip.replace({"execution.barrier_cycles": cycles}))
        assert mapping.routers_used == -(-mapping.cores_used // cores)  # a tile is filled before the next
        result = simulate(mapping, activity)
        return result.timing.latency[0], result.counts.steps, mapping.routers_used

    free, steps, tiles = run(0)
    assert run({tiles: barrier, tiles + 1: 9999})[0] == free + steps * barrier


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 9))
def test_each_core_of_a_tile_is_drawn_in_a_cell_of_its_own(columns, rows, each):
    fields = {"noc.columns": columns, "noc.rows": rows, "noc.cores_per_router": each}
    view, cores = RunView({"chip": fields}, {}), np.arange(columns * rows * each)
    cells = as_cells(view, cores)
    assert sorted(cells.compressed().tolist()) == cores.tolist()
    x, y = core_centres(view)
    assert (np.rint(x) + columns * np.rint(y) == cores // each).all()  # inside its router's square
    assert len(set(zip(x.tolist(), y.tolist(), strict=True))) == len(cores)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([LOIHI, CALIBRATED]), st.floats(0.1, 0.9))
def test_the_closed_form_is_near_the_packets(seed, chip, rate):
    network = chain([30, 60, 40, 10], IF(4))
    activity = random_activity(network, seed, samples=2, rate=rate)
    mapping = map_network(network, chip)
    packet, analytic = (simulate(mapping, activity, fidelity=f) for f in ("packet", "analytic"))
    assert packet.counts.equals(analytic.counts)
    assert price(packet).by_action()["spike"] == price(analytic).by_action()["spike"]
    assert analytic.timing.latency == pytest.approx(packet.timing.latency, rel=0.1)


@pytest.mark.parametrize(
    ("coding", "needs"),
    [
        (SFN.uniform(8), "8 thresholds of each neuron"),
        (Graded(4), "15 values that a spike may stand for"),
        (TTFS(6), "6 values that a spike may stand for"),
        (Polarity(5), "5 thresholds of each neuron"),
    ],
    ids=["sfn", "graded", "ttfs", "polarity"],
)
def test_what_is_no_unit_spike_is_refused_in_one_sentence(coding: Coding, needs: str):
    with pytest.raises(MappingError) as error:
        map_network(chain([3, 4, 2], coding), LOIHI)
    text = str(error.value)
    assert text.startswith(f"layer 'l1' does not fit: needs {needs}, core.threshold_unit.most_thresholds gives 1")
    assert "convert or recode the network to integrate-and-fire over T timesteps (coding if)" in text
    assert "\n" not in text


def test_max_pooling_is_refused():
    """Its comparisons are no synaptic operations of the published table: they would cost nothing."""
    populations = (
        Population("x", (1, 4, 4), Events(2), role="input"),
        Population("h", (1, 4, 4), IF(2)),
        Population("pool", (1, 2, 2), IF(2), function="max"),
        Population("y", (2,), Readout(2), role="output"),
    )
    network = Network(
        populations, (Elementwise("x", "h", np.ones(1)), MaxPool("h", "pool", 2), Dense("pool", "y", np.ones((2, 4))))
    )
    with pytest.raises(MappingError, match=r"layer 'pool' .* core.max_pooling gives 0 .* average pooling"):
        map_network(network, LOIHI)
    assert map_network(network, LOIHI.replace({"core.max_pooling": True})).cores_used == 3


@pytest.mark.parametrize("chip", [LOIHI, CALIBRATED], ids=["loihi", "loihi-calibrated"])
def test_the_presets_describe_the_chip(chip):
    assert (chip.cores, chip.routers, chip.core.neurons) == (128, 32, 1024)
    # 60 mm² in all; the parts are rounded to four digits.
    assert chip_area(chip).total.value_mm2 == pytest.approx(60, rel=0.005)
    # Published static power of a chip: 104 mW.
    assert chip.static_price("core_leakage").value_uw * chip.cores == pytest.approx(104_000)
    for section in ("energy", "static"):
        for row in chip.price_rows(section):
            values = [value for key, value in row.items() if key.endswith(("_pj", "_uw"))]
            assert any(values) or row["source"].startswith(("contained in", "none", "not on this chip", "no energy"))
    assert any("learning" in text for text in chip.not_modelled)
