"""Execution a row at a time, and asynchronous: against a naive twin, by hand, and as laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import ChipError, InputError
from sfnhw.mapping import map_network, verify
from sfnhw.network import Conv2d, Network, Population
from sfnhw.neurons import Graded, Readout
from sfnhw.sim import simulate
from sfnhw.sim.kernel_state import LATENCY_BINS
from sfnhw.sim.tables import sent_neurons
from tests.naive import PacketTwin
from tests.networks import chain, random_activity, random_attention, random_network
from tests.test_simulation import chips

REFERENCE = load_chip("reference")
BY_ROW = {"execution.granularity": "row"}


def assert_twin(mapping, activity):
    """The kernel and the twin agree on the latency of the sample and of every packet."""
    result = simulate(mapping, activity, threads=1)
    twin = PacketTwin(result.tables, mapping)
    assert twin.run(sent_neurons(mapping, activity)[0]) == result.timing.latency[0]
    histogram = np.bincount(np.minimum(twin.latencies, LATENCY_BINS - 1).astype(int), minlength=LATENCY_BINS)
    assert np.array_equal(histogram, result.timing.packet_latency)
    assert result.timing.packet_latency_sum == sum(twin.latencies)
    return result


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 4]), chips(modes=("dataflow", "asynchronous")), st.floats(0, 1))
def test_every_cycle_a_row_at_a_time_equals_the_naive_twin(seed, T, chip, rate):
    network = random_network(seed, T)
    mapping = map_network(network, chip.replace(BY_ROW))
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), chips(modes=("dataflow",)), st.floats(0, 1))
def test_attention_a_token_at_a_time_equals_the_naive_twin(seed, chip, rate):
    network = random_attention(seed)
    mapping = map_network(network, chip.replace(BY_ROW))
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 5), chips(modes=("asynchronous",)), st.booleans(), st.floats(0, 1))
def test_asynchronous_recurrent_networks_equal_the_naive_twin_and_never_deadlock(seed, T, chip, by_row, rate):
    network = random_network(seed, T, recurrent=True)
    mapping = map_network(network, chip.replace(BY_ROW if by_row else {}))
    assert_twin(mapping, random_activity(network, seed, samples=1, rate=rate))
