"""Thresholds, decode tables, quantiles and clipping points: cases worked by hand, and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sfnhw.convert.clipping import optimal_clip
from sfnhw.convert.grids import make_grid
from sfnhw.convert.samples import Sample
from sfnhw.convert.search import judge, search
from sfnhw.neurons import MTN, SFN, Graded

SPACINGS = ("uniform", "power-of-two", "density", "lloyd-max")


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    spacing=st.sampled_from(SPACINGS),
    rounding=st.sampled_from(["floor", "nearest"]),
    decode=st.sampled_from(["mean", "midpoint", "threshold"]),
    count=st.integers(1, 33),
    sample=arrays(float, st.integers(0, 60), elements=st.floats(0, 3)),
)
def test_every_grid_is_a_coding_and_values_lie_in_their_intervals(spacing, rounding, decode, count, sample):
    grid = make_grid(spacing, rounding, decode, count, sample)
    coding = SFN(tuple(grid.boundaries), tuple(grid.values))  # raises unless ascending, positive, finite
    assert coding.max_level == count
    # A level's value, put in again, comes out as the same level: no value lies outside its own interval.
    if decode != "mean":
        assert np.array_equal(coding.encode(grid.values), np.arange(1, count + 1))
    assert grid.boundaries[-1] <= grid.full


def test_uniform_floor_and_nearest_by_hand():
    floor = make_grid("uniform", "floor", "threshold", 3, np.zeros(0))
    assert floor.boundaries.tolist() == floor.values.tolist() == [1, 2, 3]
    nearest = make_grid("uniform", "nearest", "threshold", 3, np.zeros(0))
    assert nearest.boundaries.tolist() == [0.5, 1.5, 2.5]
    assert nearest.values.tolist() == [1, 2, 3]
    # ... which is the MTN with an initial potential of one half.
    assert nearest.boundaries.tolist() == MTN(3, 0.5).boundaries().tolist()


def test_power_of_two_nearest_by_hand():
    """Levels 1, 2, 4; borders midway: 3 and 1.5; below the first the same factor 3/4: a leading-one detector."""
    grid = make_grid("power-of-two", "nearest", "threshold", 3, np.zeros(0))
    assert grid.values.tolist() == [1, 2, 4]
    assert grid.boundaries.tolist() == [0.75, 1.5, 3.0]
    assert SFN(tuple(grid.boundaries), tuple(grid.values)).need().spacing == "power-of-two"


def test_midpoint_and_mean_by_hand():
    """N = 2, full scale 1, so |a| = 0.5, 1 are the thresholds (normalised 1, 2).

    Sample (normalised): 0.8 | 1.0, 1.4 | 2.0, 5.0 -> means 1.2 and 3.5; midpoints 1.5 and 2.5.
    """
    sample = np.array([0.4, 0.5, 0.7, 1.0, 2.5])
    assert make_grid("uniform", "floor", "midpoint", 2, sample).values.tolist() == [1.5, 2.5]
    assert make_grid("uniform", "floor", "mean", 2, sample).values == pytest.approx([1.2, 3.5])
    # Nothing fell into the first interval: its midpoint.
    assert make_grid("uniform", "floor", "mean", 2, np.array([1.0])).values == pytest.approx([1.5, 2.0])


def test_lloyd_max_finds_two_clusters():
    """Activations at 0.25 and 0.75 only: two levels leave no error."""
    sample = np.repeat([0.25, 0.75], 50)
    grid = make_grid("lloyd-max", "nearest", "mean", 2, sample)
    assert grid.values / 2 == pytest.approx([0.25, 0.75])
    # Borders: half of 0.25, and midway, in units of full scale / N.
    assert grid.boundaries / 2 == pytest.approx([0.125, 0.5])


def test_density_of_uniform_activations_is_uniform():
    grid = make_grid("density", "floor", "threshold", 4, np.linspace(1e-6, 1, 20001))
    assert grid.boundaries == pytest.approx([1, 2, 3, 4], abs=2e-3)


def test_lloyd_max_beats_uniform_on_skewed_activations():
    sample = np.minimum(np.random.default_rng(0).exponential(0.15, 5000), 1.0)

    def error(spacing: str) -> float:
        grid = make_grid(spacing, "nearest", "mean", 4, sample)
        coding = SFN(tuple(grid.boundaries), tuple(grid.values))
        return float(
            ((coding.decode(coding.encode(sample * grid.full)[None]) - sample * grid.full) ** 2).mean() / grid.full**2
        )

    assert error("lloyd-max") < error("uniform")
    assert error("lloyd-max") <= error("density")


def test_quantile_ignores_zeros():
    """Channel 0: non-zero 1..4, p = 0.5 -> 2.5 (linear, as numpy). Channel 1: silent -> 0."""
    magnitudes = np.array([[0, 4, 2, 0, 3, 1], [0, 0, 0, 0, 0, 0]], np.float32)
    sample = Sample(magnitudes, np.array([4.0, 0.0]))
    assert sample.quantile(0.5).tolist() == [2.5, 0.0]
    assert sample.quantile(1).tolist() == [4.0, 0.0]
    assert sample.pooled.quantile(0.5).tolist() == [2.5]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(arrays(np.float32, (3, 12), elements=st.floats(0, 8, width=32)), st.floats(0.05, 1))
def test_quantile_is_numpys_on_each_channel(magnitudes, p):
    found = Sample(magnitudes, magnitudes.max(axis=1).astype(float)).quantile(p)
    for row, value in zip(magnitudes, found, strict=True):
        expected = np.quantile(row[row > 0].astype(float), p) if (row > 0).any() else 0.0
        assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_optimal_clip_gives_up_an_outlier():
    """999 values in [0, 1] and one of 10: with 3 levels clipping near 1 costs 81 and keeps a step of 1/3; no clipping
    has a step of 10/3, so all the rest becomes 0 at a cost of 999/3 = 333. With 2**16 − 1 levels nothing need be cut."""
    row = np.append(np.linspace(0, 1, 999), 10.0).astype(np.float32)[None]
    largest = np.array([10.0])
    assert optimal_clip(row, largest, Graded(2))[0] < 5
    assert optimal_clip(row, largest, Graded(16))[0] == 10.0


def test_search_finds_the_minimum_of_a_known_loss_within_budget():
    """Loss (ln λ − ln 0.1)², smallest at λ = 0.1."""
    reference = np.array([[1.0, 0.0], [0.0, 1.0]])

    def tried(lam):
        trial = judge(lam, reference, 0.0, reference, None, 0.0)
        return type(trial)(lam, (np.log(lam) - np.log(0.1)) ** 2, 0.0, 0.0, None)

    best, trials = search(tried, (0.01, 1.0), 20)
    assert best.lam == pytest.approx(0.1, rel=0.01)
    assert len(trials) <= 20
    assert len(search(tried, (0.01, 1.0), 1)[1]) == 1


def test_judge_by_hand():
    """Outputs half of the reference: spread Σ(z − mean)² = 4 · 0.25 = 1, error Σ = 2 · 0.25 = 0.5.

    Labels (0, 0): the reference gets 1 of 2, the outputs (0.5, 0), (0, 0.5) the same: nothing lost. Rate 0.3 · 0.1.
    """
    reference = np.array([[1.0, 0.0], [0.0, 1.0]])
    trial = judge(0.2, reference / 2, 0.3, reference, np.array([0, 0]), 0.1)
    assert trial.error == pytest.approx(0.5)
    assert trial.accuracy == 0.5
    assert trial.loss == pytest.approx(0.5 + 0.03)
    swapped = judge(0.2, reference[::-1], 0.0, reference, np.array([0, 1]), 0.0)
    assert swapped.loss == pytest.approx(4.0 + 1.0)  # Σ (z − z')² = 4, and all answers lost
