"""Timesteps of a sample on several threads are those of one thread, to the bit."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.mapping import map_network
from sfnhw.neurons import IF
from sfnhw.sim import simulate, step_ranges
from sfnhw.sim.kernel_state import global_steps
from sfnhw.sim.packet import simulate_packets
from sfnhw.sim.step_ranges import ranges_each
from sfnhw.sim.tables import build_tables, sent_neurons
from tests.networks import chain, random_activity, random_network
from tests.test_channels import slow_routers
from tests.test_simulation import REFERENCE

BARRIER = REFERENCE.replace({"execution.mode": "barrier"})


def assert_threads_change_nothing(tables, sent, threads):
    """All counts and all times."""
    (counts, timing), (others, other) = (simulate_packets(tables, sent, n) for n in (1, threads))
    assert counts.equals(others)
    for field in fields(timing):
        one, more = (getattr(t, field.name) for t in (timing, other))
        assert np.array_equal(one, more), field.name


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([1, 4, 7]),
    slow_routers(modes=("barrier",)),
    st.floats(0, 1),
    st.integers(1, 3),
    st.integers(2, 9),
    st.sampled_from([0, 100]),
)
def test_threads_share_the_timesteps_of_few_samples(seed, T, chip, rate, samples, threads, barrier):
    """Without a barrier of its own length a step may begin while links are still taken."""
    network = random_network(seed, T, recurrent=T > 1 and seed % 2 == 0)
    mapping = map_network(network, chip.replace({"execution.barrier_cycles": barrier}))
    sent = sent_neurons(mapping, random_activity(network, seed, samples, rate))
    assert_threads_change_nothing(build_tables(mapping), sent, threads)


def test_a_range_that_begins_on_a_taken_chip_is_run_anew(monkeypatch):
    """A link takes a hundred cycles for the next packet where no unit works for more than a few: the step ends before.

    So each step begins while links are taken, and none may be run by itself.
    """
    chip = BARRIER.replace(
        {
            "noc.columns": 2, "noc.rows": 1, "noc.cores_per_router": 1, "noc.virtual_channels": 1, "core.neurons": 2,
            "noc.vc_alloc_cycles": 100, "execution.barrier_cycles": 0,
        }
    )  # fmt: skip
    network = chain([2, 2, 2], IF(6))
    mapping = map_network(network, chip)
    sent = sent_neurons(mapping, random_activity(network, 3, 1, 1.0))
    anew = []
    whole = step_ranges.Sample._run
    monkeypatch.setattr(
        step_ranges.Sample, "_run", lambda self, tally, steps: (anew.append(steps is None), whole(self, tally, steps))
    )
    assert_threads_change_nothing(build_tables(mapping), sent, 3)
    assert anew == [False, False, False, True]


@pytest.mark.parametrize(
    ("samples", "threads", "ranges"),
    [(1, 1, 1), (1, 2, 2), (2, 2, 1), (2, 4, 2), (2, 3, 2), (5, 4, 1), (1, 99, 12)],
)
def test_all_threads_have_work_and_no_range_is_empty(samples, threads, ranges):
    """Of ten timesteps through three layers there are twelve steps."""
    tables = build_tables(map_network(chain([2, 2, 2], IF(10)), BARRIER))
    assert global_steps(tables.fabric, 10) == 12
    assert ranges_each(tables.fabric, samples, 10, threads) == ranges


def test_without_a_barrier_a_sample_is_whole():
    tables = build_tables(map_network(chain([2, 2, 2], IF(10)), REFERENCE.replace({"execution.mode": "dataflow"})))
    assert ranges_each(tables.fabric, 1, 10, 8) == 1


def test_progress_counts_samples():
    mapping, told = map_network(chain([2, 2, 2], IF(10)), BARRIER), []
    activity = random_activity(mapping.network, 1, 2)
    simulate(mapping, activity, threads=4, progress=lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)]
