"""Fidelity `packet` against its referee `flit`: the same network, event by event."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.sim.noc import NocConfig, Traffic, simulate_burst, simulate_noc
from tests.test_noc import configs, simulation

# Network, and its saturation rate as `sweep` finds it at fidelity flit.
CASES = [
    ({"virtual_channels": 1}, 0.141),
    ({"virtual_channels": 4}, 0.414),
    ({"virtual_channels": 2, "buffer_flits": 2}, 0.19),
    ({"virtual_channels": 4, "packet_flits": 5}, 0.079),
    ({"virtual_channels": 2, "topology": "torus", "buffer_flits": 4}, 0.226),
    ({"virtual_channels": 4, "topology": "torus", "packet_flits": 3}, 0.184),
    ({"virtual_channels": 2, "topology": "cmesh"}, 0.146),
]


@pytest.mark.parametrize(("fields", "saturation"), CASES)
@pytest.mark.parametrize(("share", "tolerance"), [(0.3, 0.05), (0.7, 0.05), (0.9, 0.15)])
def test_mean_latency_is_near_the_referees(fields, saturation, share, tolerance):
    traffic = Traffic(NocConfig(**fields))
    mean = {}
    for fidelity in ("packet", "flit"):
        result = simulate_noc(traffic, share * saturation, cycles=5000, warmup=1500, fidelity=fidelity)
        mean[fidelity] = result.mean_latency
        assert result.undelivered == 0
    assert mean["packet"] == pytest.approx(mean["flit"], rel=tolerance)


@pytest.mark.parametrize(
    ("fields", "rate"),
    [
        ({"virtual_channels": 1}, 1 / 3),
        ({"virtual_channels": 2}, 2 / 3),
        ({"virtual_channels": 3}, 1),
        ({"virtual_channels": 1, "buffer_flits": 1}, 1 / 7),
        ({"virtual_channels": 1, "packet_flits": 4}, 4 / 6),
    ],
)
def test_one_hot_link_takes_what_its_pipeline_allows(fields, rate):
    traffic = Traffic(NocConfig(columns=2, rows=1, **fields), "neighbor")
    result = simulate_noc(traffic, 1.0, cycles=2520, warmup=100, fidelity="packet")
    assert abs(result.accepted_rate - rate) * 2520 <= 4


@given(configs(ties=True), st.floats(0.01, 1), st.integers(0, 2**40))
@settings(max_examples=25, deadline=None)
def test_no_packet_is_lost_and_no_buffer_overflows(config, rate, seed):
    sim, measure = simulation(Traffic(config), rate=rate, seed=seed, fidelity="packet")
    h = sim.hops
    for _ in range(40):
        sim.advance(measure, 9)
        # Beyond its places a buffer holds only packets whose departure is known.
        assert (h.sent - h.gone <= h.places).all()
    sim.sources = sim.sources._replace(rate=0.0)
    sim.advance(measure, 8000)
    assert (h.sent == h.gone).all()
    assert int(sim.packets.top[0]) == len(sim.packets.free)
    assert measure.total[0] == measure.total[5] == measure.histogram.sum()
    assert h.counts[0] == measure.total[2] * config.packet_flits


@pytest.mark.parametrize("pattern", ["uniform", "transpose", "bit-complement", "neighbor"])
@pytest.mark.parametrize("fields", [{}, {"virtual_channels": 1}, {"topology": "torus", "packet_flits": 3}])
def test_bursts_end_near_the_referees(pattern, fields):
    traffic = Traffic(NocConfig(**fields), pattern)
    packet, flit = (simulate_burst(traffic, 12, fidelity=f).makespan for f in ("packet", "flit"))
    assert packet == pytest.approx(flit, rel=0.16)


def test_near_saturation_it_warns_and_auto_asks_the_referee():
    traffic = Traffic(NocConfig())
    arguments = {"cycles": 3000, "warmup": 1000}
    calm, near = (simulate_noc(traffic, rate, fidelity="packet", **arguments) for rate in (0.1, 0.41))
    assert calm.warning is None
    assert "near saturation" in near.warning
    assert simulate_noc(traffic, 0.1, fidelity="auto", **arguments) == calm
    assert simulate_noc(traffic, 0.41, fidelity="auto", **arguments) == simulate_noc(traffic, 0.41, **arguments)
    assert simulate_noc(traffic, 0.9, fidelity="packet", **arguments).warning.startswith("saturated")


def test_the_seed_decides():
    traffic = Traffic(NocConfig(columns=4, rows=4))
    one, again, other = (
        simulate_noc(traffic, 0.3, cycles=1000, warmup=100, seed=s, fidelity="packet") for s in (1, 1, 2)
    )
    assert one == again
    assert one.mean_latency != other.mean_latency
