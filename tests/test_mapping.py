"""Mapping: every neuron on one core, every limit held, every route walked by a checker that knows only its arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import ChipError, InputError, MappingError
from sfnhw.mapping import map_network
from sfnhw.mapping.placement import hilbert, sequential
from sfnhw.network import Block, Dense, Network, Population, Sparse
from sfnhw.neurons import SFN, Graded, Readout
from tests.naive import core_of_neuron, synapses_of
from tests.networks import chain, random_network

REFERENCE = load_chip("reference")


def walk(mapping, routes, slice_index):
    """Terminals that a slice's packets reach, walking child lists alone: (cores, pins), each visit counted."""
    cores, pins = [], 0
    columns, each = mapping.chip.noc.columns, mapping.chip.noc.cores_per_router
    for root in routes.roots[routes.root_first[slice_index] : routes.root_first[slice_index + 1]]:
        stack = [(int(root), None)]
        while stack:
            node, came = stack.pop()
            assert routes.owner[node] == slice_index
            if came is not None:  # one hop to a neighbour, over the link that leads there
                a, b = int(routes.router[came]), int(routes.router[node])
                step = {1: 0, -1: 1, columns: 2, -columns: 3}[b - a]
                assert routes.link[node] == 4 * a + step
                assert routes.parent[node] == came
            for terminal in routes.exits[routes.exit_first[node] : routes.exit_first[node + 1]].tolist():
                pins += terminal == mapping.io
                if terminal != mapping.io:
                    cores.append(terminal)
                    assert terminal // each == routes.router[node]
            children = routes.children[routes.child_first[node] : routes.child_first[node + 1]]
            stack += [(int(c), node) for c in children]
    return sorted(cores), pins


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 2]),
    st.integers(64, 300),
    st.sampled_from(["multicast", "unicast"]),
    st.integers(1, 4),
)
def test_any_network_that_fits_is_mapped_whole(seed, T, neurons, cast, tile):
    network = random_network(seed, T)
    chip = REFERENCE.replace({"core.neurons": neurons, "noc.cast": cast, "noc.cores_per_router": tile})
    mapping = map_network(network, chip)
    slice_of = core_of_neuron(mapping)  # asserts that each neuron is in exactly one slice
    used = mapping.occupancy()
    assert all(demand.fits(mapping.capacity) for demand in used)
    assert sum(d.neurons for d in used) == sum(p.size for p in network.populations if p.role != "input")
    # Synapses: each is in the connection between its neurons' slices, and nowhere else.
    c = mapping.connections
    mine: dict[tuple[int, int, int], int] = {}
    for k, i, o, _ in synapses_of(network):
        p = network.projections[k]
        key = (int(slice_of[p.source][i]), int(slice_of[p.target][o]), k)
        mine[key] = mine.get(key, 0) + 1
    rows = {
        (int(c.source[r]), int(c.target[r]), int(c.projection[r])): int(
            c.synapses(r, mapping.slices[c.source[r]].neurons).sum()
        )
        for r in range(len(c))
    }
    assert rows == mine
    # Routes: exactly the cores that hold a target, once each; outputs also reach the pins.
    for s in mapping.slices:
        targets = {int(mapping.terminals[b]) for (a, b, _) in mine if a == s.index}
        cores, pins = walk(mapping, mapping.routes, s.index)
        assert cores == sorted(targets)
        assert pins == (network[s.population].role == "output")
        sources = {int(mapping.terminals[a]) for (a, b, _) in mine if b == s.index}
        cores, pins = walk(mapping, mapping.ready_routes, s.index)
        assert cores == sorted(sources - {mapping.io})
        assert pins == (mapping.io in sources)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([hilbert, sequential]))
def test_walks_visit_every_router_once_by_short_steps(columns, rows, walk):
    walked = walk(columns, rows)
    assert sorted(walked.tolist()) == list(range(columns * rows))
    steps = np.abs(np.diff(walked % columns)) + np.abs(np.diff(walked // columns))
    assert steps.max(initial=0) <= 2
    assert (steps == 2).sum() <= 1, "at most one diagonal step"


def test_slices_share_cores_only_when_they_must():
    network = chain([4, 200, 200, 200, 3])
    plenty = map_network(network, REFERENCE)
    assert plenty.cores_used == 4
    few = map_network(network, REFERENCE.replace({"noc.columns": 2, "noc.rows": 2, "core.neurons": 256}))
    assert few.cores_used == 4
    # Three cores: the readout's 3 neurons fit beside 200 of another layer.
    packed = map_network(network, REFERENCE.replace({"noc.columns": 3, "noc.rows": 1}))
    assert packed.cores_used == 3
    assert sorted(d.neurons for d in packed.occupancy()) == [200, 200, 203]


def test_weights_cut_channels_and_count_exactly():
    """1,000 inputs × 100 outputs × 8 bits = 800,000 bits; a 64 KiB core holds 524,288: two slices of 50 channels."""
    mapping = map_network(chain([1000, 100, 3]), REFERENCE)
    assert [s.neurons for s in mapping.slices_of("l1")] == [50, 50]
    assert [mapping.demands[s.index].weight_bits for s in mapping.slices_of("l1")] == [400_000, 400_000]
    # State: 50 neurons × 24 bits × 2 banks.
    assert mapping.demands[mapping.slices_of("l1")[0].index].state_bits == 50 * 24 * 2


def test_too_many_cores_says_how_many_and_which_layer():
    with pytest.raises(MappingError) as error:
        map_network(chain([10, 3000, 10]), REFERENCE.replace({"noc.columns": 2, "noc.rows": 2}))
    text = str(error.value)
    # 3,000 neurons at 256 a core are 12 slices; the readout needs 3,000 × 10 × 8 bits = 240,000 and fits one core more.
    assert "needs 13 cores, noc.columns × noc.rows gives 4 (9 short)" in text
    assert "12 slices of layer 'l1'" in text
    assert "a mesh of 2 columns × 7 rows" in text
    assert error.value.demand == 13


def test_one_neuron_too_big_says_what_its_weights_are():
    # One output of 70,000 inputs: 560,000 bits of weights, 524,288 in a core.
    with pytest.raises(MappingError) as error:
        map_network(chain([70_000, 2]), REFERENCE)
    text = str(error.value)
    assert "layer 'l1' does not fit: needs 560,000 bits" in text
    assert "core.weight_memory.kib gives 524,288 (35,712 short)" in text
    assert "560,000 bits of weights from 'l0' (dense)" in text
    assert "raise core.weight_memory.kib" in text


def test_thresholds_need_registers():
    with pytest.raises(MappingError, match=r"needs 100 threshold registers .* core.threshold_unit.registers gives 64"):
        map_network(chain([4, 4, 2], SFN.uniform(100)), REFERENCE)
    # One table for each channel: 4 channels × 20 = 80 words > 64, so two slices.
    chip = REFERENCE.replace({"core.threshold_unit.sharing": "channel"})
    assert len(map_network(chain([4, 4, 2], SFN.uniform(20)), chip).slices_of("l1")) == 2


def test_a_unit_that_cannot_serve_the_thresholds_is_refused():
    chip = REFERENCE.replace({"core.threshold_unit.kind": "power-of-two"})
    with pytest.raises(ChipError, match="power-of-two"):
        map_network(chain([4, 4, 2], SFN((1.0, 1.5, 4.0), (1.0, 2.0, 5.0))), chip)


def test_dataflow_refuses_delays_by_name():
    with pytest.raises(InputError, match=r"sparse projection 'features' → 'features' carries a delay"):
        map_network(random_network(3, 2, recurrent=True), REFERENCE)


def test_unknown_placer_gets_the_nearest_name():
    with pytest.raises(InputError, match=r"placer: found 'hilbrt'.*did you mean 'hilbert'"):
        map_network(chain([3, 2]), REFERENCE, placer="hilbrt")


@pytest.mark.parametrize("sharing", ["slice", "neuron"])
def test_axons_of_listed_synapses_are_one_for_each_source_neuron_whatever_is_shared(sharing):
    one = Sparse("x", "h", np.ones(300), np.arange(301), np.zeros(300, int))
    network = Network(
        (
            Population("x", (300,), Graded(8), role="input"),
            Population("h", (1,), SFN.uniform(4)),
            Population("y", (1,), Readout(1), role="output"),
        ),
        (one, Dense("h", "y", np.ones((1, 1)))),
    )
    with pytest.raises(MappingError) as refused:
        map_network(network, REFERENCE.replace({"core.axons": 200, "core.axon_sharing": sharing}))
    assert refused.value.terms == ("an axon for each source neuron of 1 projection",)
    assert "axon_sharing" not in str(refused.value)  # nothing to be shared


def test_axons_by_neuron_are_counted_and_limited():
    """Shared by slice: one entry. By neuron: each of the 300 inputs needs one."""
    network = Network(
        (
            Population("x", (300,), Graded(8), role="input"),
            Population("y", (2,), Readout(), role="output"),
        ),
        (Dense("x", "y", np.ones((2, 300))),),
    )
    assert map_network(network, REFERENCE).demands[1].axons == 1
    by_neuron = REFERENCE.replace({"core.axon_sharing": "neuron"})
    assert map_network(network, by_neuron).demands[1].axons == 300
    with pytest.raises(MappingError, match=r"needs 300 axon-table entries .* core.axons gives 200"):
        map_network(network, by_neuron.replace({"core.axons": 200}))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.data())
def test_indices_of_a_block_own_their_memory(channels, rows, columns, data):
    """Channel by channel, row by row; nothing larger stays alive behind them."""
    population = Population("p", (channels, rows, columns), SFN.uniform(2))
    c0, r0 = data.draw(st.integers(0, channels - 1)), data.draw(st.integers(0, rows - 1))
    block = Block(c0, data.draw(st.integers(c0 + 1, channels)), r0, data.draw(st.integers(r0 + 1, rows)))
    indices = population.indices(block)
    grid = np.arange(population.size).reshape(channels, rows, columns)
    assert np.array_equal(indices, grid[block.c0 : block.c1, block.r0 : block.r1].ravel())
    assert indices.base is None or indices.base.nbytes == indices.nbytes
