"""Boards: chips whose meshes are joined. Links between them are slower, and a flit over one passes pins."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import chip_area, load_chip
from sfnhw.chip.links import between_chips, link_cycles
from sfnhw.errors import ChipError, MappingError, SimulationError
from sfnhw.mapping import Mapping, map_network, verify
from sfnhw.mapping.quality import quality
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")
DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))


def board(columns=2, rows=1, mesh=(1, 1), **more):
    changes = {"noc.columns": mesh[0], "noc.rows": mesh[1], "board.columns": columns, "board.rows": rows}
    return REFERENCE.replace({**changes, "board.link_cycles": 20} | more)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_which_links_lead_to_another_chip(columns, rows, across, down):
    chip = board(across, down, (columns, rows), **{"noc.vertical_link_cycles": 5, "noc.link_cycles": 2})
    assert (chip.columns, chip.rows, chip.chips) == (columns * across, rows * down, across * down)
    assert chip.cores == chip.routers == columns * rows * across * down
    for y in range(chip.rows):
        for x in range(chip.columns):
            for d, (dx, dy) in enumerate(DIRECTIONS):
                if 0 <= x + dx < chip.columns and 0 <= y + dy < chip.rows:
                    other = ((x + dx) // columns, (y + dy) // rows) != (x // columns, y // rows)
                    link = np.array([4 * (x + chip.columns * y) + d])
                    assert between_chips(chip, link)[0] == other
                    assert link_cycles(chip, link)[0] == (20 if other else 2 if d < 2 else 5)
    assert not between_chips(chip, np.array([-1]))[0]


def test_one_spike_from_chip_to_chip_by_hand():
    """Two chips of one core each: the spike of l1, its end marker and the ready token back cross once, and pay for pins."""
    network = chain([1, 1, 1])
    activity = random_activity(network, 0, samples=1, rate=1.0)
    for name in activity.levels:
        activity.levels[name][:] = 1
    chip = board(**{"board.flit_cycles": 3})
    # l1 is on the first core, the output on the other chip, from which its value and end marker come back to the pins.
    result = simulate(map_network(network, chip), activity)
    value_flits = int(result.tables.slices.flits[2])
    assert result.chip_hops == 1 + 1 + 1 + value_flits + 1
    assert result.totals()["link_flit"] == 0
    one = simulate(map_network(network, REFERENCE.replace({"noc.columns": 2, "noc.rows": 1})), activity)
    assert one.totals()["link_flit"] == result.chip_hops
    bits = result.totals()["io_bit"] - one.totals()["io_bit"]
    assert bits == 32 * result.chip_hops
    # What ends l1, its end marker, is ready two cycles after the spike (a ready token to the pins is between them), finds the
    # link held for three, and takes 20 + 2 cycles instead of 1.
    first = 1 + 19 + 2
    # That of the result is ready three cycles after the value, behind which the link is held for 2 · 3 cycles, and then by
    # the ready token for 3.
    assert value_flits == 2
    second = (2 * 3 + 3 - 3) + 19 + 2
    assert result.latency_cycles - one.latency_cycles == first + second
    energy, other = price(result).by_action(), price(one).by_action()
    assert energy["link_flit"].value_aj == 0
    assert energy["io_bit"].value_aj - other["io_bit"].value_aj == bits * 2_000_000


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.sampled_from(["dataflow", "barrier"]))
def test_a_board_whose_links_are_like_those_on_a_chip_is_one_large_chip_in_all_but_its_pins(seed, T, mode):
    network = random_network(seed, T)
    activity = random_activity(network, seed, samples=2)
    whole = REFERENCE.replace({"execution.mode": mode, "core.neurons": 96})
    cut = whole.replace(
        {
            "noc.columns": 2,
            "noc.rows": 1,
            "board.columns": 4,
            "board.rows": 8,
            "board.link_cycles": whole.noc.link_cycles,
        }
    )
    # Row by row whatever the chips are; the curve fills one chip after the other.
    mapping = map_network(network, cut, placer="sequential")
    assert verify(mapping).ok
    one = simulate(map_network(network, whole, placer="sequential"), activity)
    many = simulate(mapping, activity)
    assert one.counts.equals(many.counts)
    assert np.array_equal(one.timing.latency, many.timing.latency)
    assert one.timing.interval == many.timing.interval
    assert many.link_hops == one.link_hops == one.totals()["link_flit"]
    assert many.totals()["link_flit"] + many.chip_hops == one.link_hops
    assert many.totals()["io_bit"] == one.totals()["io_bit"] + many.chip_hops * cut.noc.flit_bits
    table = many.action_table()
    for action in ("link_flit", "io_bit"):
        assert table["count"][table["action"] == action].sum() == many.totals()[action]
    at = (table["action"] == "io_bit") & (table["place"] == "link")
    assert table["count"][at].sum() == many.chip_hops * cut.noc.flit_bits
    cost = price(many)
    assert cost.by_action()["io_bit"].value_aj == many.totals()["io_bit"] * 2_000_000
    assert sum(e.value_aj for e in cost.by_core().values()) == cost.total.value_aj
    # Slower links are never faster.
    slow = cut.replace({"board.link_cycles": 40, "board.flit_cycles": 4})
    late = simulate(map_network(network, slow, placer="sequential"), activity)
    assert late.counts.equals(many.counts)
    assert (late.timing.latency >= many.timing.latency).all()
    near, far = (
        simulate(map_network(network, c, placer="sequential"), activity, fidelity="analytic").timing
        for c in (cut, slow)
    )
    assert (far.latency >= near.latency).all()


def test_flits_from_chip_to_chip_beside_their_bound():
    """A layer of 20 neurons heard by three cores of one neuron each is on four cores: on chips of two, one link at least."""
    network = chain([2, 20, 60])
    chip = board(2, 2, (2, 1), **{"core.neurons": 20})
    mapping = map_network(network, chip)
    assert mapping.cores_used == 4
    found, rows = quality(mapping, None), {row["quantity"]: row for row in quality(mapping, None).as_json()}
    # 20 packets of one flit, or two, and an end marker; what else is sent goes to one core or to the pins.
    flits = int(simulate(mapping, random_activity(network, 0), fidelity="analytic").tables.slices.flits[1])
    assert found.crossings_bound == 20 * flits + 1
    assert rows["flits from chip to chip"]["achieved"] == found.crossings >= found.crossings_bound
    alone = quality(map_network(network, REFERENCE), None)
    assert alone.crossings == 0
    assert "flits from chip to chip" not in {row["quantity"] for row in alone.as_json()}


def test_area_and_leakage_are_of_all_chips():
    one, four = REFERENCE, REFERENCE.replace({"board.columns": 2, "board.rows": 2, "board.link_cycles": 9})
    assert chip_area(four).total.value_mm2 == pytest.approx(4 * chip_area(one).total.value_mm2)


def test_a_network_too_large_for_one_chip_fits_on_a_board(tmp_path):
    network = chain([10, 200, 200, 200, 10])
    one = REFERENCE.replace({"noc.columns": 2, "noc.rows": 1})
    with pytest.raises(MappingError):
        map_network(network, one)
    two = one.replace({"board.rows": 2, "board.link_cycles": 9})
    mapping = map_network(network, two)
    assert verify(mapping).ok
    assert mapping.cores_used == 4
    mapping.save(tmp_path / "m.npz")
    again = Mapping.load(tmp_path / "m.npz", network, two)
    assert np.array_equal(again.terminals, mapping.terminals)
    # Another board is another chip: to load, and to price.
    with pytest.raises(Exception, match=r"board\.link_cycles"):
        Mapping.load(tmp_path / "m.npz", network, two.replace({"board.link_cycles": 10}))
    result = simulate(mapping, random_activity(network, 0), fidelity="analytic")
    with pytest.raises(SimulationError, match=r"board\.flit_cycles"):
        price(result, two.replace({"board.flit_cycles": 2}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"board.columns": 2}, "board.link_cycles: missing, expected the cycles of a link between two of the 2 chips"),
        ({"board.columns": 0}, "board.columns: found 0, expected a whole number from 1 to 64 (chips)"),
        (
            {"board.columns": 64, "noc.columns": 32, "board.link_cycles": 1},
            "board: found '2048 x 8', expected at most 1024 routers each way, noc.columns × board.columns and noc.rows × board.rows",
        ),
        (
            {"board.columns": 2, "board.link_cycles": 3, "execution.rounds": "auto"},
            "execution.rounds: found 'auto', expected none on a board of 2 chips: what loads between chips would cost",
        ),
        ({"board.colums": 2}, "no such field of a chip (did you mean 'board.columns'?)"),
    ],
)
def test_a_board_that_cannot_be(changes, message):
    with pytest.raises(ChipError, match=re.escape(message)):
        REFERENCE.replace(changes)


def test_pins_may_be_on_any_chip():
    chip = REFERENCE.replace({"board.columns": 2, "board.link_cycles": 9, "io.router": [15, 7]})
    assert map_network(chain([3, 2]), chip).io_router == 15 + 16 * 7
    with pytest.raises(ChipError, match=r"inside the mesh of 16 x 8: a column from 0 to 15"):
        REFERENCE.replace({"board.columns": 2, "board.link_cycles": 9, "io.router": [16, 7]})
