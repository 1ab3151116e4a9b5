"""The equivalence theorem (arXiv 2510.23383, Theorems 1 and 2), and what happens outside its conditions.

All numbers are multiples of 1/64, so that sums in floating point are exact and equality means equality.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import IF, MTN, Graded, Readout
from sfnhw.record import record

STEPS = st.sampled_from([1, 2, 4, 8, 16])


@given(st.data(), STEPS, st.integers(0, 63))
def test_neuron_if_over_t_steps_equals_mtn_in_one(data, T, v0):
    """0 ≤ x(t) ≤ θ at every step, however uneven: IF spikes = level of the MTN with θ_M = θ/T, N = T."""
    x = np.array(data.draw(st.lists(st.integers(0, 64), min_size=T, max_size=T))) / 64
    spikes = IF(T, v0 / 64).encode(x[:, None]).sum()
    # The MTN sees the mean input x̄; in its own unit θ/T that is x̄·T = Σ x(t), and v_M(0) = v(0)/T is v(0) units.
    level = MTN(T, v0 / 64).encode(np.array([[x.sum()]]))
    assert spikes == level.item()


def test_outside_the_conditions_it_fails():
    # Sign changes over time: the spike at step 1 cannot be taken back. IF: 1 spike; MTN sees the sum 0: none.
    assert IF(2).encode(np.array([[1.0], [-1.0]])).sum() == 1
    assert MTN(2).encode(np.array([[0.0]])).item() == 0
    # More than θ in the last step: only one spike can leave. IF: 1; MTN: 2.
    assert IF(2).encode(np.array([[0.0], [2.0]])).sum() == 1
    assert MTN(2).encode(np.array([[2.0]])).item() == 2


def two_layer(weights, coding, unit):
    w1, w2, w3 = weights
    hidden = [Population(f"h{i}", (len(w),), coding, unit, function="relu") for i, w in enumerate((w1, w2))]
    steps = coding.timesteps
    return Network(
        (
            Population("x", (w1.shape[1],), Graded(4), 1 / 16, role="input"),
            *hidden,
            Population("y", (len(w3),), Readout(steps), role="output"),
        ),
        (Dense("x", "h0", w1), Dense("h0", "h1", w2), Dense("h1", "y", w3)),
    )


@given(st.integers(0, 10_000), STEPS, st.sampled_from([0.0, 0.5]))
def test_network_of_one_equals_network_of_the_other(seed, T, v0):
    """Theorem 2: non-negative rows that sum to at most θ keep every layer inside the conditions at every step."""
    rng = np.random.default_rng(seed)

    def rows(n, m):  # multiples of 1/64 with row sums ≤ 1
        counts = rng.multinomial(64, np.ones(m + 1) / (m + 1), size=n)[:, :m]
        return counts / 64

    weights = rows(7, 5), rows(6, 7), rng.integers(-64, 65, (3, 6)) / 64
    x = rng.integers(0, 16, (4, 5)) / 16
    over_time = record(two_layer(weights, IF(T, v0), 1.0), x, numerics=None)
    at_once = record(two_layer(weights, MTN(T, v0), 1.0 / T), x, numerics=None)
    for name in ("h0", "h1"):
        spikes = over_time.activity.levels[name].sum(axis=1)
        assert np.array_equal(spikes, at_once.activity.levels[name][:, 0])
    assert np.array_equal(over_time.outputs, at_once.outputs)


def test_network_with_inhibition_is_outside_the_conditions():
    """A negative weight makes inputs change sign over time: the two networks differ, and that is not a defect.

    Two inputs of 1/2, θ = 1, T = 2: h0 = [1/2, 1/2] fires at step 2 both times; h1 = [h0_0] fires step 2. With the
    excitatory neuron early (input 1: fires at both steps) and the inhibitory one late (1/2: fires at step 2), the
    output neuron sees +1, then +1 − 2 = −1: one spike by IF, none by MTN, which sees the sum 0.
    """
    weights = np.eye(2), np.array([[1.0, -2.0]]), np.ones((1, 1))
    x = np.array([[15 / 16 + 1 / 16, 0.5]])
    wide = [two_layer(weights, c, u) for c, u in ((IF(2), 1.0), (MTN(2), 0.5))]
    for network in wide:
        object.__setattr__(network.populations[0], "coding", Graded(5))
    levels = [record(n, x, numerics=None).activity.levels["h1"].sum() for n in wide]
    assert levels == [1, 0]
