"""Where the time of a packet goes: the event log's waits, by hand, against a naive twin, and as laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.network import Network, Population, Sparse
from sfnhw.neurons import SFN, Graded, Readout
from sfnhw.reports.event_file import EventFile
from sfnhw.reports.trace_rows import PARTS, inference_row, layer_rows
from sfnhw.reports.trace_text import trace_text
from sfnhw.sim import record_events, simulate
from sfnhw.sim.event_log import PACKETS
from sfnhw.sim.event_records import EVENTS
from sfnhw.sim.tables import sent_neurons
from tests.naive_twin import PacketTwin
from tests.networks import random_activity, random_attention, random_network
from tests.test_simulation import chips

REFERENCE = load_chip("reference")


def rows_of(log, event, packet=None):
    c = log.columns
    own = c["event"] == EVENTS.index(event)
    if packet:
        own &= c["packet"] == PACKETS.index(packet)
    return {name: column[own] for name, column in c.items()}


def parts_of(ejects):
    """(deliveries, parts) what each latency is made of."""
    return np.stack(
        [ejects["end_cycle"] - ejects["begin_cycle"] if name is None else ejects[name] for name in PARTS.values()],
        axis=1,
    )


def file_of(mapping, log):
    chip = mapping.chip
    return EventFile(
        log, mapping.network.name, chip.name, chip.cores, chip.columns, chip.noc.cores_per_router, chip.clock_mhz
    )


def two_spikes(changes):
    """x at the pins → two neurons h on router 0 → y on router 1; all spike once."""
    network = Network(
        (
            Population("x", (1,), Graded(8), role="input"),
            Population("h", (2,), SFN.uniform(4)),
            Population("y", (1,), Readout(1), role="output"),
        ),
        (Sparse("x", "h", [1.0, 1.0], [0, 2], [0, 1]), Sparse("h", "y", [1.0, 1.0], [0, 1, 2], [0, 0])),
    )
    chip = REFERENCE.replace({"noc.columns": 2, "noc.rows": 1, "io.router": (0, 0), **changes})
    mapping = map_network(network, chip, placer="sequential")
    return mapping, Activity({p.name: np.ones((1, 1, p.size), int) for p in network.populations})


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"noc.virtual_channels": 1}, [(0, 2, 9, 0, 0, 1), (0, 2, 9, 2, 0, 1)]),
        ({"noc.port_cycles": 5}, [(0, 6, 9, 0, 0, 1), (4, 6, 9, 0, 0, 1)]),
    ],
)
def test_two_spikes_one_after_the_other_worked_by_hand(changes, parts):
    """h's spikes are ready a cycle apart, at t and t + 1. Over two routers (4 cycles each) and a link of 1 a packet takes 9.

    One virtual channel: an input VC holds a packet for RC + VA + SA = 3 cycles, and so the link passes one in 3. The port
    takes 1 cycle, the head is at the router in t + 2 and leaves it in t + 6; the second could leave in t + 7, and has to wait
    until t + 9. Behind the link it comes 3 cycles after the first, as often as the port to the core passes one.
    A port of 5 cycles: the first holds it in t .. t + 4, its head goes with the last of them and is at the router in t + 6.
    The second waits from t + 1 until t + 5; from then on the two are 5 cycles apart, and never meet.
    """
    mapping, activity = two_spikes(changes)
    log = record_events(mapping, activity)
    ejects = rows_of(log, "eject", "spike")
    h = ejects["layer"] == log.layers.index("h")
    assert parts_of(ejects)[h].tolist() == [list(row) for row in parts]
    assert (ejects["end_cycle"] - ejects["ready_cycle"])[h].tolist() == [sum(row) for row in parts]
    row = next(r for r in layer_rows(file_of(mapping, log), np.ones(len(log), bool)) if r["layer"] == "h")
    assert row["mean_packet_latency_cycles"] == sum(map(sum, parts)) / 2
    assert list(row["mean_latency_parts_cycles"].values()) == [sum(two) / 2 for two in zip(*parts, strict=True)]
    assert row["p99_packet_latency_cycles"] == row["longest_packet_latency_cycles"] == sum(parts[1])
    assert (row["cores"], row["spike_packets_delivered"], row["spike_packet_deliveries"]) == (1, 2, 2)
    assert row["busiest_link"]["place"] == "(0, 0) to (1, 0)"
    # Over the link go the two spikes and the end marker, a flit each.
    assert row["busiest_link"]["busy_cycles"] == 3
    assert row["busiest_link"]["busy_share"] == 3 / (row["last_cycle"] - row["first_cycle"])


def test_slow_lanes_keep_the_next_packet_waiting_worked_by_hand():
    """A synapse takes 7 cycles: the second spike comes to y's core a cycle after the first, is looked up at once (1 cycle),
    and finds the lanes taken for 6 more cycles."""
    mapping, activity = two_spikes({"core.synapse_cycles": 7})
    log = record_events(mapping, activity)
    for event, waits in (("axon", [0, 0]), ("synapse", [0, 6])):
        own = rows_of(log, event, "spike")
        assert own["wait_cycles"][own["target_layer"] == log.layers.index("y")].tolist() == waits
    row = next(r for r in layer_rows(file_of(mapping, log), np.ones(len(log), bool)) if r["layer"] == "y")
    assert (row["mean_axon_wait_cycles"], row["mean_synapse_wait_cycles"], row["synapse_cycles"]) == (0, 3, 14)


class WaitingTwin(PacketTwin):
    """The naive twin, with what each delivered spike has waited for: (ready, terminal, port, link, exit, latency)."""

    def __init__(self, tables, mapping):
        super().__init__(tables, mapping)
        self.delivered, self.at_lanes = [], []
        n = tables.nodes
        self.parent = {
            int(c): v for v in range(len(n.owner)) for c in n.children[n.child_first[v] : n.child_first[v + 1]]
        }

    def inject(self, now, i, root, what, flits, born):
        way = Way(born)
        way.port, way.links = max(now, self.free["inject", int(self.t.slices.terminal[i])]) - born, {}
        self.way = way
        return super().inject(now, i, root, what, flits, way)

    def hop(self, now, node, what, flits, born):
        self.way, self.exits, k = born, [], len(self.latencies)
        self.behind = 0 if node in self.parent else born.late
        on_way, v = 0, node
        while v in self.parent:
            on_way += born.links[int(self.t.nodes.link[v])]
            v = self.parent[v]
        super().hop(now, node, what, flits, born)
        if what[0] == "spike":
            for (terminal, wait), latency in zip(self.exits, self.latencies[k:], strict=True):
                self.delivered.append((int(born), terminal, born.port, on_way, wait, int(latency)))

    def channel(self, name, at, *hold):
        leaves = super().channel(name, at, *hold)
        if name[0] == "enter":  # a packet that its first router takes later waits for what it goes by from there
            self.way.late = leaves - at
        elif name[0] == "link":
            self.way.links[name[1]] = leaves - at + self.behind
        else:
            self.exits.append((name[1], leaves - at + self.behind))
        return leaves

    def work_off(self, arrive, k, what):
        if what[0] == "spike" and len(what[1]) == 1:
            f, core = self.t.fabric, int(self.t.slices.terminal[self.t.rows.target[k]])
            start = max(arrive, self.free["axon", core])
            looked = start + f.axon_cycles
            self.at_lanes.append((k, start - arrive, max(looked, self.free["synapse", core]) - looked))
        super().work_off(arrive, k, what)


class Way(int):
    """When a packet was ready; and what its copy has waited for: `port`, and `links` by number."""


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), chips(modes=("dataflow",)), st.floats(0, 1))
def test_every_wait_is_the_naive_twins(seed, T, chip, rate):
    network = random_network(seed, T)
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, 1, rate)
    log = record_events(mapping, activity)
    twin = WaitingTwin(simulate(mapping, activity, threads=1).tables, mapping)
    twin.run(sent_neurons(mapping, activity)[0])
    own = rows_of(log, "eject", "spike")
    names = ("ready_cycle", "core", "injection_wait_cycles", "link_wait_cycles", "wait_cycles")
    found = zip(*(own[name].tolist() for name in names), (own["end_cycle"] - own["ready_cycle"]).tolist(), strict=True)
    assert sorted(found) == sorted(twin.delivered)
    axon, synapse = (np.sort(rows_of(log, event, "spike")["wait_cycles"]).tolist() for event in ("axon", "synapse"))
    assert axon == sorted(wait for _, wait, _ in twin.at_lanes)
    assert synapse == sorted(wait for _, _, wait in twin.at_lanes)


def check_sums(log, chip):
    """The law: parts are no less than 0 and add up to the latency, of every packet, spikes and all."""
    ejects = rows_of(log, "eject")
    parts = parts_of(ejects)
    assert (parts >= 0).all()
    assert np.array_equal(parts.sum(axis=1), ejects["end_cycle"] - ejects["ready_cycle"])
    noc = chip.noc
    router = noc.route_cycles + noc.vc_alloc_cycles + noc.switch_alloc_cycles + noc.switch_cycles
    assert (ejects["hop_cycles"] >= router).all()
    for event in ("inject", "link", "eject", "axon", "synapse"):
        assert (rows_of(log, event)["wait_cycles"] >= 0).all(), event
    assert (rows_of(log, "threshold")["wait_cycles"] == -1).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 3]),
    chips(modes=("dataflow", "barrier", "asynchronous")),
    st.floats(0, 1),
    st.sampled_from(["aer", "bundled", "auto"]),
    st.sampled_from(["xy", "yx", "o1turn"]),
)
def test_parts_add_up_to_the_latency_of_every_packet_and_to_the_reports_mean(seed, T, chip, rate, form, routing):
    by_neuron = chip.noc.destinations == "neuron"
    changes = {"packet.format": "aer" if by_neuron else form, "noc.routing": routing}
    chip = chip.replace(
        changes | {"noc.virtual_channels": max(2, chip.noc.virtual_channels)} if routing == "o1turn" else changes
    )
    network = random_network(seed, T, recurrent=chip.execution.mode != "dataflow")
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, 1, rate)
    log = record_events(mapping, activity)
    check_sums(log, chip)
    result = simulate(mapping, activity, threads=1)
    rows = layer_rows(file_of(mapping, log), np.ones(len(log), bool))
    latency = [(r["spike_packet_deliveries"], r["mean_packet_latency_cycles"] or 0) for r in rows]
    assert sum(many for many, _ in latency) == result.counts.delivered.sum()
    assert sum(many * mean for many, mean in latency) == pytest.approx(result.timing.packet_latency_sum)
    for row in rows:
        if row["spike_packet_deliveries"]:
            total = sum(row["mean_latency_parts_cycles"].values())
            assert total == pytest.approx(row["mean_packet_latency_cycles"])
        assert row["busiest_unit"] is None or 0 <= row["busiest_unit"]["busy_share"] <= 1
    held = {name: set() for name in log.layers}
    for s in mapping.slices:
        held[s.population].add(int(mapping.terminals[s.index]))
    assert all(row["cores"] == len(held[row["layer"]] - {mapping.io}) for row in rows)
    text = trace_text(rows, inference_row(file_of(mapping, log), np.ones(len(log), bool)))
    assert max(map(len, text.splitlines())) <= 80


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100_000), chips(modes=("dataflow",)), st.sampled_from(["layer", "row"]))
def test_parts_add_up_where_packets_wait_for_an_operand_or_rows_go_by_themselves(seed, chip, granularity):
    network = random_attention(seed)
    chip = chip.replace({"execution.granularity": granularity})
    mapping = map_network(network, chip)
    check_sums(record_events(mapping, random_activity(network, seed, 1, 0.5)), chip)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 4), chips(modes=("barrier",)), st.floats(0, 1))
def test_barriers_are_those_of_the_run_and_nothing_starts_meanwhile(seed, T, chip, rate):
    network = random_network(seed, T, recurrent=True)
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, 1, rate)
    log = record_events(mapping, activity)
    result = simulate(mapping, activity, threads=1)
    barriers = rows_of(log, "barrier")
    assert len(barriers["event"]) == result.counts.steps
    cycles = chip.execution.barrier_cycles_of(mapping.routers_used)
    assert (barriers["end_cycle"] - barriers["begin_cycle"] == cycles).all()
    assert barriers["end_cycle"].max() == result.timing.latency[0]
    walks = rows_of(log, "threshold")["begin_cycle"]
    inside = (walks[:, None] >= barriers["begin_cycle"]) & (walks[:, None] < barriers["end_cycle"])
    assert not inside.any() or cycles == 0
    whole = inference_row(file_of(mapping, log), np.ones(len(log), bool))
    assert (whole["global_steps"], whole["barrier_cycles"]) == (result.counts.steps, cycles * result.counts.steps)


def test_a_cut_log_has_the_same_waits_as_far_as_it_goes():
    network = random_network(4, 2)
    mapping = map_network(network, REFERENCE.replace({"noc.cast": "unicast"}))
    activity = random_activity(network, 4, 1, 0.6)
    whole = record_events(mapping, activity)
    rows = {tuple(row) for row in np.stack(list(whole.columns.values()), axis=1).tolist()}
    for limit in (1, 7, 100, 1000):
        cut = record_events(mapping, activity, limit=limit)
        assert {tuple(row) for row in np.stack(list(cut.columns.values()), axis=1).tolist()} <= rows


def test_a_wait_is_unknown_where_its_delivery_is_not_logged():
    network = random_network(4, 2)
    mapping = map_network(network, REFERENCE)
    activity = random_activity(network, 4, 1, 0.6)
    name = network.projections[0].target
    log = record_events(mapping, activity, layers=[name])
    axon = rows_of(log, "axon")
    own = axon["layer"] == log.layers.index(name)
    assert (axon["wait_cycles"][own] >= 0).all()
    assert (axon["wait_cycles"][~own] == -1).all()
    assert (~own).any()
