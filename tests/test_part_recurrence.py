"""The recurrence of parts: whole arrays at once against one part, and one job, after the other; and near the packets."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.sim import simulate
from sfnhw.sim.part_recurrence import _in_order, _in_turn
from tests.networks import random_activity, random_network

REFERENCE = load_chip("reference")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 3))
def test_parts_of_a_slice_work_in_turn(seed, many, window):
    """Each begins when it is fed and the one before has sent, and waits for its gap; some work in the first frames alone."""
    rng = np.random.default_rng(seed)
    first = np.cumsum([0, *many])
    parts, samples, windows = int(first[-1]), 2, 3
    slice_of = np.repeat(np.arange(len(many)), many)
    frames = rng.integers(1, window + 1, len(many))[slice_of]
    emission = rng.integers(0, 9, (windows * window, parts, samples)).astype(float)
    gap = rng.integers(0, 3, parts).astype(float)
    fed = rng.integers(0, 60, (windows, parts, samples)).astype(float)
    times = SimpleNamespace(start=np.full(emission.shape, np.inf), end=np.zeros(emission.shape))
    layer = SimpleNamespace(
        parts=np.arange(parts),
        place=slice_of,
        row=np.arange(parts) - first[slice_of],
        last=first[1:] - 1,
        rows=max(many),
    )
    tables = SimpleNamespace(fabric=SimpleNamespace(window=window))
    jobs = SimpleNamespace(slices=SimpleNamespace(frames=frames))
    free = np.zeros((len(many), samples))
    for n in range(windows):
        _in_turn(tables, jobs, SimpleNamespace(emission=emission, gap=gap), times, layer, fed[n], n * window)
        for part, i in enumerate(slice_of):
            now = np.maximum(fed[n, part], free[i])
            for t in range(n * window, n * window + frames[part]):
                assert times.start[t, part].tolist() == now.tolist()
                assert times.end[t, part].tolist() == (now + emission[t, part]).tolist()
                now = now + emission[t, part] + gap[part]
            free[i] = now


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=12))
def test_lanes_take_jobs_in_order_of_arrival(drawn):
    target, heads, work = np.array(sorted(drawn)).T
    at = np.flatnonzero(np.diff(target, prepend=-1))
    which = np.unique(target, return_inverse=True)[1]
    found = _in_order(heads[:, None].astype(float), work[:, None].astype(float), target, at, which)[:, 0]
    free = dict.fromkeys(target.tolist(), 0)
    for k in np.lexsort((np.arange(len(heads)), heads)).tolist():
        free[target[k]] = max(free[target[k]], heads[k]) + work[k]
        assert found[k] == free[target[k]]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([2, 3, 5]), st.booleans(), st.sampled_from(["layer", "row"]))
def test_over_several_timesteps_too(seed, T, delays, granularity):
    """Latency and interval; no law: these examples are the same in every run (`benchmarks.analytic_error` has more)."""
    network = random_network(seed, T, recurrent=delays, window=False)
    changes = {"execution.mode": "asynchronous", "execution.granularity": granularity, "core.neurons": 64}
    mapping = map_network(network, REFERENCE.replace(changes))
    activity = random_activity(network, seed, 2)
    packet, analytic = (simulate(mapping, activity, fidelity=f, threads=1).timing for f in ("packet", "analytic"))
    assert analytic.latency == pytest.approx(packet.latency, rel=0.2)
    assert analytic.interval == pytest.approx(packet.interval, rel=0.2)
