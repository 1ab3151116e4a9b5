"""The network of fidelity `flit` by itself: against the synthetic referee's twin, against its formula, and to its end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.sim.noc import NocConfig
from tests.flit_driver import deliveries
from tests.naive_flit import Twin
from tests.naive_noc import run_burst

REFERENCE = load_chip("reference")


def mesh(**fields):
    """The reference with fields of its network."""
    return REFERENCE.replace({f"noc.{name}": value for name, value in fields.items()} | {"io.router": (0, 0)})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_unicast_is_the_synthetic_referee_to_the_cycle(data):
    """A burst from every node to one node each: every arrival as in the naive twin of `sfnhw.sim.noc`.

    One flit a packet and any stages; or more flits, with a switch allocator of one cycle (one of several cycles passes a
    flit each cycle here, and one each time there).
    """
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    flits = draw(1, 4)
    switch_alloc = draw(1, 3) if flits == 1 else 1
    columns, rows = draw(1, 4), draw(1, 3)
    fields = {
        "columns": columns, "rows": rows, "virtual_channels": draw(1, 4), "buffer_flits": draw(1, 6),
        "route_cycles": draw(0, 2), "vc_alloc_cycles": draw(1, 3), "switch_alloc_cycles": switch_alloc,
        "switch_cycles": draw(1, 2), "link_cycles": draw(1, 3), "credit_cycles": draw(1, 3),
        "routing": data.draw(st.sampled_from(["xy", "yx"])),
    }  # fmt: skip
    nodes, burst = columns * rows, draw(1, 6)
    targets = data.draw(st.lists(st.integers(0, nodes - 1), min_size=nodes, max_size=nodes))
    expected, _ = run_burst(NocConfig(packet_flits=flits, **fields), targets, burst)
    packets = [(node, [to], flits, 0) for _ in range(burst) for node, to in enumerate(targets)]
    found, *_ = deliveries(mesh(cast="unicast", **fields), packets)
    assert sorted(found.values()) == sorted(expected)


@st.composite
def meshes(draw, most_side=4, most_stage=3):
    """A small mesh with multicast, and the longest packet that it takes."""
    flits = draw(st.integers(1, 4))
    side, stage = st.integers(1, most_side), st.integers(0, most_stage)
    chip = REFERENCE.replace(
        {
            "noc.columns": draw(side), "noc.rows": draw(side), "io.router": (0, 0),
            "noc.cores_per_router": draw(st.integers(1, 2)), "noc.virtual_channels": draw(st.integers(1, 3)),
            "noc.buffer_flits": draw(st.integers(flits, 6)), "noc.route_cycles": draw(stage),
            "noc.vc_alloc_cycles": draw(stage), "noc.switch_alloc_cycles": draw(stage), "noc.switch_cycles": draw(stage),
            "noc.link_cycles": draw(st.integers(1, 3)), "noc.credit_cycles": draw(st.integers(1, 3)),
            "noc.routing": draw(st.sampled_from(["xy", "yx"])),
            "core.input_packets": draw(st.sampled_from([None, 1, 2, 5])),
        }
    )  # fmt: skip
    return chip, flits


def random_packets(draw, chip, flits, most=25):
    """Packets from random cores to random sets of cores, at random times."""
    core = st.integers(0, chip.cores - 1)
    one = st.tuples(
        core, st.lists(core, min_size=1, max_size=6, unique=True), st.integers(1, flits), st.integers(0, 30)
    )
    return sorted(draw(st.lists(one, min_size=1, max_size=most)), key=lambda p: p[3])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_multicast_is_a_naive_twin_to_the_cycle(data):
    """Trees, lengths, stages, buffers and input buffers at random: every arrival at every core as in plain Python."""
    chip, flits = data.draw(meshes())
    packets = random_packets(data.draw, chip, flits)
    hold = data.draw(st.integers(0, 20))
    twin = Twin(chip, packets, hold)
    expected = twin.run()
    assert twin.most <= chip.noc.buffer_flits, "a buffer never holds more than it has room for"
    found, *_ = deliveries(chip, packets, hold=hold)
    assert found == expected
