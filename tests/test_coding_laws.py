"""Laws of every coding's encode and decode, and worked cases of those beyond one uniform threshold bank."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfnhw.chip.threshold_unit import KINDS, update_cost
from sfnhw.errors import ChipError, InputError
from sfnhw.neurons import CODINGS, IF, MTN, SFN, TTFS, Coding, Graded, Polarity, coding_from_config
from sfnhw.numerics import Numerics

WIDE = Numerics(threshold_bits=32, accumulator_bits=48)
# Multiples of 1/64: sums, and products with powers of two, are exact in floating point.
sixty_fourths = st.integers(-64 * 20, 64 * 20).map(lambda i: i / 64)
potentials = st.integers(0, 63).map(lambda i: i / 64)
ascending = st.lists(st.integers(4, 128), min_size=1, max_size=12).map(lambda s: tuple(np.cumsum(s) / 64))


@st.composite
def codings(draw):
    """Any coding that turns values into spikes, of any T, signed or not."""
    signed = draw(st.booleans())
    v0 = draw(potentials)
    kind = draw(st.sampled_from(["sfn", "mtn", "powers", "free", "if", "polarity", "ttfs", "graded"]))
    if kind == "sfn":
        steps = draw(ascending)
        return SFN(steps, steps, signed)
    if kind == "mtn":
        return MTN(draw(st.integers(1, 16)), v0, signed)
    if kind == "powers":
        return MTN(draw(st.integers(1, 8)), 0.0, signed, "power-of-two", draw(st.sampled_from(["floor", "nearest"])))
    if kind == "free":
        return MTN(draw(ascending), 0.0, signed, "free")
    if kind == "if":
        scale = draw(st.sampled_from([0.5, 1.0, 2.0]))
        return IF(draw(st.sampled_from([1, 2, 4, 8])), 0.0 if signed else v0, signed, scale)
    if kind == "polarity":
        return Polarity(draw(st.integers(1, 16)), v0, signed)
    if kind == "ttfs":
        return TTFS(draw(st.sampled_from([1, 2, 4, 8, 16])), v0, signed)
    return Graded(draw(st.integers(2, 6)), signed)


def constant(coding, h):
    """(T, ...) the input of each step for a value h: h itself, or its share where the window sums it up."""
    return np.repeat(np.asarray(h, float)[None] / coding.window, coding.timesteps, axis=0)


def step_error(coding):
    """Largest distance of a value inside the range from what it becomes, in normalised units, where it is uniform."""
    v0 = getattr(coding, "initial_potential", 0.0)
    if isinstance(coding, IF):
        return coding.threshold_scale * max(v0, 1 - v0) / coding.steps
    return 0.5 if isinstance(coding, Graded) else max(v0, 1 - v0)


def test_every_kind_is_drawn():
    """A new coding is drawn above, or (a leaky neuron: no staircase of its own) has laws of its own elsewhere."""
    assert set(CODINGS) - {"events", "readout", "stream", "relay", "partial"} <= {
        "sfn",
        "mtn",
        "if",
        "polarity",
        "ttfs",
        "graded",
        "lif",
    }


@given(codings(), st.lists(sixty_fourths, min_size=1, max_size=30))
def test_the_staircase_is_what_the_train_of_a_constant_input_decodes_to(coding, h):
    train = coding.encode(constant(coding, h))
    assert train.shape == (coding.timesteps, len(h))
    assert np.array_equal(coding.decode(train), coding.represent(np.array(h)))


@given(codings(), st.lists(sixty_fourths, min_size=2, max_size=30))
def test_larger_values_never_become_smaller(coding, h):
    assert (np.diff(coding.represent(np.sort(h))) >= 0).all()


@given(codings(), st.lists(sixty_fourths, min_size=1, max_size=30))
def test_signs_mirror_and_an_unsigned_code_is_a_relu(coding, h):
    h = np.array(h)
    if coding.signed:
        whole = h if not isinstance(coding, Graded) else h[(h - 0.5) % 1 != 0]  # an exact half rounds up
        assert np.array_equal(coding.represent(-whole), -coding.represent(whole))
    else:
        assert (coding.represent(-np.abs(h)) == 0).all()


@given(codings())
def test_zero_costs_no_packet(coding):
    train = coding.encode(constant(coding, np.zeros(3)))
    assert not train.any()
    assert not coding.packets(train).any()


@given(codings(), st.lists(sixty_fourths, min_size=1, max_size=30))
def test_packets_are_at_most_what_the_coding_says(coding, h):
    train = coding.encode(constant(coding, h))
    packets = coding.packets(train)
    assert (packets.sum(axis=0) <= coding.most_packets).all()
    assert ((packets > 0) == (train != 0)).all()
    if isinstance(coding, Polarity | IF):  # unit spikes: what arrives is what was sent
        assert np.array_equal(packets.sum(axis=0), np.abs(train.sum(axis=0)))
    else:
        assert packets.max() <= 1


@given(codings(), st.lists(sixty_fourths, min_size=1, max_size=30))
def test_error_is_bounded_by_the_step(coding, h):
    h = np.abs(h)
    if isinstance(coding, SFN) or (isinstance(coding, MTN) and coding.spacing == "free"):
        # Floor: the value of the largest threshold that is reached.
        edges = [0.0, *coding.values(), np.inf]
        expected = [next(low for low, high in pairwise(edges) if low <= x < high) for x in h]
        assert coding.represent(h).tolist() == expected
        return
    if isinstance(coding, MTN) and coding.spacing == "power-of-two":
        inside = h[(h >= 1) & (h <= coding.values()[-1])]
        value = coding.represent(inside)
        if coding.rounding == "nearest":
            assert (np.abs(value - inside) <= inside / 3).all()
        else:
            assert ((value <= inside) & (inside < 2 * value)).all()
        assert not coding.represent(h[h < 1]).any()
        return
    gain = coding.threshold_scale if isinstance(coding, IF) else 1.0
    inside = h[h <= gain * coding.values()[-1]]
    assert (np.abs(gain * coding.represent(inside) - inside) <= step_error(coding)).all()
    beyond = h[h > gain * coding.values()[-1]]
    assert (coding.represent(beyond) == coding.values()[-1]).all()


@given(codings(), st.lists(st.integers(-(2**13), 2**13), min_size=1, max_size=30), st.sampled_from([64, 256, 1024]))
def test_integer_neurons_equal_the_real_rule_where_the_lsb_is_fine(coding, membrane, lsb_per_unit):
    """Every boundary is a whole number of LSBs, so registers are exact; over T steps too."""
    if isinstance(coding, Graded):
        return  # a fixed-point reciprocal: within one LSB, see test_neurons
    # An initial potential between two LSBs is rounded, and may then fire where the real one does not.
    initial = getattr(coding, "initial_potential", 0) * getattr(coding, "threshold_scale", 1) * lsb_per_unit
    assume(initial % 1 == 0)
    acc = np.array(membrane, np.int64).reshape(1, 1, -1)
    table = coding.lower(np.array([float(lsb_per_unit)]), WIDE)
    updates = coding.timesteps // coding.window
    v = np.broadcast_to(table.initial[:, None], acc.shape).astype(np.int64)
    levels = []
    for _ in range(updates):
        v = v + acc
        levels.append(coding.fire(v, table).ravel())
        if not coding.need().keeps_residual:
            v = np.zeros_like(v)
    expected = coding.encode(constant(coding, acc.ravel() / lsb_per_unit))
    got = coding.in_time(levels[0][None])[0] if coding.window > 1 else np.array(levels)
    assert np.array_equal(got, expected)


@given(codings())
def test_config_round_trip(coding):
    assert coding_from_config(coding.config()) == coding


@given(st.integers(1, 8), st.integers(64, 64 * 128))
def test_nearest_power_of_two_is_the_nearest(count, h):
    """Brute force over all levels; a tie goes up (the leading one and the bit behind it)."""
    h /= 64
    levels = [2.0**k for k in range(count)]
    nearest = min(levels, key=lambda level: (abs(level - h), -level))
    assert MTN(count, spacing="power-of-two", rounding="nearest").represent(np.array([h])).tolist() == [nearest]


def test_powers_of_two_worked_by_hand():
    """θ = 8, N = 4: levels 8, 4, 2, 1; boundaries 1, 1.5, 3, 6 (1.5 between neighbours, 0 below θ·2^(1−N) = 1)."""
    coding = MTN(4, spacing="power-of-two", rounding="nearest", signed=True)
    assert coding.boundaries().tolist() == [1, 1.5, 3, 6]
    h = np.array([[0.99, 1.0, 1.49, 1.5, 2.9, 3.0, 6.0, 99.0, -2.0]])
    assert coding.encode(h).tolist() == [[0, 1, 1, 2, 2, 3, 4, 4, -2]]
    assert coding.decode(coding.encode(h)).tolist() == [0, 1, 1, 2, 2, 4, 8, 8, -2]
    assert replace(coding, rounding="floor").encode(h).tolist() == [[0, 1, 1, 1, 2, 2, 3, 4, -2]]
    assert coding.payload_bits(WIDE) == 2 + 1
    # Words are the powers themselves, however narrow a decode table would be.
    assert MTN(12, spacing="power-of-two").decode_words(8)[0][-1] == 2**11


def test_signed_if_worked_by_hand():
    """x = −5/8 a step, θ = 1: v = −5/8, −10/8 → −2/8 spike, −7/8, −12/8 → −4/8 spike."""
    coding = IF(4, signed=True)
    assert coding.encode(np.full((4, 1), -5 / 8)).ravel().tolist() == [0, -1, 0, -1]
    # A spike can be taken back: +1 first, then −1 (an unsigned neuron would stay at one spike).
    x = np.array([[1.0], [-1.0], [0.0], [0.0]])
    assert coding.encode(x).ravel().tolist() == [1, -1, 0, 0]
    assert IF(4).encode(x).sum() == 1
    assert coding.need().signed
    assert coding.payload_bits(WIDE) == 1


def test_threshold_scale_worked_by_hand():
    """x = 3/8, α = 3/4: v = 3/8, 6/8 → 0 spike, 3/8, 6/8 → 0 spike: two spikes of θ in four steps, 1/2 = x/α."""
    coding = IF(4, threshold_scale=0.75)
    train = coding.encode(np.full((4, 1), 3 / 8))
    assert train.ravel().tolist() == [0, 1, 0, 1]
    assert coding.decode(train).tolist() == [0.5]


@given(st.integers(2, 32), st.integers(1, 32))
def test_ttfs_fires_at_the_papers_time(T, part):
    """t = ⌈T(1 − x/θ)⌉ with θ = T units and v(0) = 0, for 0 < x ≤ θ that reach the last step; in integers."""
    x = min(part, 32) * T / 32  # in units of θ/T
    train = TTFS(T).encode(np.concatenate([[[x]], np.zeros((T - 1, 1))]))
    time = -(-(32 * T - part * T) // 32)
    if time >= T:
        assert not train.any()  # below one level: silent
    else:
        assert np.flatnonzero(train).tolist() == [time]
        assert train[time].item() == T - time


@pytest.mark.parametrize(
    ("coding", "bits"),
    [
        (MTN(8, spacing="power-of-two"), 3),
        (MTN((1.0, 2.5, 3.0), spacing="free", signed=True), 3),
        (IF(4, signed=True), 1),
        (Polarity(9), 0),
        (Polarity(9, signed=True), 1),
        (TTFS(9), 0),
        (TTFS(9, signed=True), 1),
    ],
)
def test_payload_bits(coding, bits):
    assert coding.payload_bits(Numerics()) == bits


@pytest.mark.parametrize(
    ("coding", "spacing", "thresholds"),
    [
        (MTN(4, 0.5), "uniform", 4),
        (MTN(4, spacing="power-of-two", rounding="nearest"), "power-of-two", 4),
        (MTN((1.0, 1.5, 4.0), spacing="free"), "free", 3),
        (MTN((1.0, 2.0, 3.0), spacing="free"), "uniform", 3),  # what they happen to be
        (Polarity(4), "uniform", 4),
        (TTFS(4), "uniform", 1),
        (IF(4, signed=True), "uniform", 1),
    ],
)
def test_what_the_threshold_unit_must_serve(coding, spacing, thresholds):
    need = coding.need()
    assert (need.kind, need.spacing, need.thresholds) == ("bank", spacing, thresholds)
    assert need.signed == coding.signed


@pytest.mark.parametrize(
    ("coding", "kinds"),
    [
        (MTN(4), {"parallel", "serial", "binary-search", "uniform"}),
        (Polarity(4), {"parallel", "serial", "binary-search", "uniform"}),
        (MTN(4, spacing="power-of-two"), {"parallel", "serial", "binary-search", "power-of-two"}),
        (MTN((1.0, 1.5, 4.0), spacing="free"), {"parallel", "serial", "binary-search"}),
        (IF(4, signed=True), set(KINDS)),
        (TTFS(4), set(KINDS)),
    ],
    ids=lambda v: v.kind if isinstance(v, Coding) else "",
)
def test_units_that_serve_a_coding(coding, kinds):
    for kind in kinds:
        assert update_cost(kind, coding.need()).cycles >= 1
    for kind in set(KINDS) - kinds:
        with pytest.raises(ChipError, match="cannot serve"):
            update_cost(kind, coding.need())


def test_a_burst_compares_as_often_as_the_level_it_stands_for():
    """Neither free nor twice: one pass through the bank, whatever the length of the burst; N one by one if serial."""
    for kind in ("parallel", "serial", "binary-search", "uniform"):
        assert update_cost(kind, Polarity(8).need()) == update_cost(kind, MTN(8).need())
    assert update_cost("serial", Polarity(8).need()).compares == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MTN(4, spacing="powers"), "mtn.spacing: found 'powers'"),
        (lambda: MTN(4, spacing="free"), "a tuple of ascending positive finite numbers"),
        (lambda: MTN((1.0, 2.0)), "mtn.thresholds: found (1.0, 2.0), expected an integer"),
        (lambda: MTN((1.0, 1.0), spacing="free"), "ascending"),
        (lambda: MTN(17, spacing="power-of-two"), "at most 16"),
        (lambda: MTN(4, 0.5, spacing="power-of-two"), "take no initial potential"),
        (lambda: MTN(4, rounding="nearest"), "by initial_potential=0.5"),
        (lambda: IF(4, 0.5, signed=True), "would favour one sign"),
        (lambda: IF(4, threshold_scale=0.0), "if.threshold_scale: found 0.0"),
        (lambda: Polarity(256), "from 1 to 255"),
        (lambda: TTFS(0), "ttfs.steps: found 0"),
        (lambda: TTFS(4).encode(np.zeros((3, 1))), "first axis of 4 timesteps"),
    ],
)
def test_bad_codings_say_what_is_wrong(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)
