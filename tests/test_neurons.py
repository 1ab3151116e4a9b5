"""Codings: worked cases, and laws that every coding keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnhw.errors import InputError, NetworkError
from sfnhw.neurons import CODINGS, IF, MTN, SFN, Events, Graded, Readout, coding_from_config, registers
from sfnhw.numerics import Numerics

NUMERICS = Numerics()
values = st.floats(-40, 40, allow_nan=False)
ascending = st.lists(st.floats(0.05, 2.0), min_size=1, max_size=20).map(lambda s: tuple(np.cumsum(s)))


@st.composite
def one_step_codings(draw):
    signed = draw(st.booleans())
    kind = draw(st.sampled_from(["sfn", "mtn", "graded"]))
    if kind == "sfn":
        steps = draw(ascending)
        return SFN(steps, steps, signed)
    if kind == "mtn":
        return MTN(draw(st.integers(1, 64)), draw(st.floats(0, 0.99)), signed)
    return Graded(draw(st.integers(2, 10)), signed)


def test_sfn_levels_worked_by_hand():
    # Thresholds 1, 2, 4: 0.99 reaches none, 1 the first, 3.9 the second, 4 and 100 the third; negatives are the ReLU.
    coding = SFN((1.0, 2.0, 4.0), (1.5, 3.0, 5.0))
    h = np.array([[-5.0, 0.99, 1.0, 3.9, 4.0, 100.0]])
    assert coding.encode(h).tolist() == [[0, 0, 1, 2, 3, 3]]
    assert coding.decode(coding.encode(h)).tolist() == [0, 0, 1.5, 3.0, 5.0, 5.0]
    signed = SFN((1.0, 2.0, 4.0), (1.5, 3.0, 5.0), signed=True)
    assert signed.encode(-h).tolist() == [[3, 0, -1, -2, -3, -3]]


def test_mtn_is_the_papers_formula():
    # o = clip(⌊h + v0⌋, 0, N) with N = 3 and v0 = 0.5: 0.49 → 0, 0.5 → 1, 2.5 → 3, 9 → 3.
    assert MTN(3, 0.5).encode(np.array([[0.49, 0.5, 2.5, 9.0, -2.0]])).tolist() == [[0, 1, 3, 3, 0]]


def test_if_soft_reset_worked_by_hand():
    # Input 5/8 for 5 steps, θ = 1: v = 5/8, 10/8 → 2/8 spike, 7/8, 12/8 → 4/8 spike, 9/8 → 1/8 spike.
    train = IF(5).encode(np.full((5, 1), 5 / 8))
    assert train.ravel().tolist() == [0, 1, 0, 1, 1]
    assert IF(5).decode(train).tolist() == [0.6]


def test_graded_rounds_half_up_and_clips():
    assert Graded(2).encode(np.array([-1.0, 0.49, 0.5, 2.6, 99.0])).tolist() == [0, 0, 1, 3, 3]
    assert Graded(3, signed=True).encode(np.array([-99.0, -1.6, 99.0])).tolist() == [-3, -2, 3]


@pytest.mark.parametrize(
    ("coding", "bits"),
    [
        (SFN.uniform(8), 3),  # ⌈log2 8⌉: level 0 is never sent
        (SFN.uniform(9), 4),
        (SFN.uniform(8, signed=True), 4),
        (MTN(1), 0),  # one level: the address says it all
        (IF(16), 0),
        (Graded(8), 8),
        (Readout(), 24),  # the accumulator
        (Events(4), 0),
        (Events(4, largest=1, signed=True), 1),
    ],
)
def test_payload_bits(coding, bits):
    assert coding.payload_bits(NUMERICS) == bits


@given(one_step_codings(), st.lists(values, min_size=2, max_size=30))
def test_levels_rise_with_the_value_and_stay_in_range(coding, h):
    levels = coding.encode(np.sort(np.array(h))[None])[0]
    assert (np.diff(levels) >= 0).all()
    assert np.abs(levels).max() <= coding.max_level
    assert coding.signed or levels.min() >= 0


@given(one_step_codings(), st.lists(values, min_size=1, max_size=30))
def test_zero_is_silent_and_signs_mirror(coding, h):
    h = np.array(h)[None]
    assert (coding.encode(np.zeros((1, 3))) == 0).all()
    if coding.signed and not isinstance(coding, Graded):  # rounding half up is not symmetric at exact halves
        assert np.array_equal(coding.encode(-h), -coding.encode(h))


@given(st.integers(1, 64), st.floats(0, 63.9))
def test_floor_error_is_below_one_step(thresholds, h):
    h = min(h, thresholds)
    error = h - SFN.uniform(thresholds).decode(SFN.uniform(thresholds).encode(np.array([[h]])))[0]
    assert 0 <= error < 1 or h >= thresholds


@given(one_step_codings(), st.lists(st.integers(-30000, 30000), min_size=1, max_size=40), st.floats(3.0, 400.0))
def test_integer_fire_equals_the_real_rule_away_from_register_rounding(coding, membrane, lsb_per_unit):
    """acc / lsb_per_unit through `encode` = acc through the registers, unless within 1 LSB of a step."""
    numerics = Numerics(threshold_bits=32, accumulator_bits=32)
    table = coding.lower(np.array([lsb_per_unit]), numerics)
    acc = np.array(membrane, np.int64).reshape(1, 1, -1)
    got = coding.fire(acc.copy(), table).ravel()
    low, high = (coding.encode(((acc.ravel() + d) / lsb_per_unit)[None])[0] for d in (-1.0, 1.0))
    assert ((got >= low) & (got <= high)).all()


@given(ascending, st.floats(0.5, 1e4), st.integers(2, 32))
def test_registers_fit_their_bits(boundaries, lsb_per_unit, bits):
    table = registers(np.array(boundaries), np.array([lsb_per_unit]), bits)
    common = np.bitwise_or.reduce(table.ravel())
    trailing = (int(common) & -int(common)).bit_length() - 1
    assert int(table.max()).bit_length() - trailing <= bits, "low bits of the comparison are dropped, all alike"
    assert (np.diff(table[0]) >= 0).all()


def test_registers_are_exact_when_wide_enough():
    # 10.0 LSB per unit, boundaries 0.25, 0.3, 1: acc ≥ 2.5 ⟺ acc ≥ 3; 3.0 stays 3; 10 stays 10.
    assert registers(np.array([0.25, 0.3, 1.0]), np.array([10.0]), 16).tolist() == [[3, 3, 10]]
    # In 3 bits: 10 needs 4, so the last bit goes: 10 >> 1 = 5, 3 >> 1 = 1.5 → 2 (to even), that is 4.
    assert registers(np.array([0.3, 1.0]), np.array([10.0]), 3).tolist() == [[4, 10]]


@given(one_step_codings())
def test_decode_words_stand_for_the_values(coding):
    words, lsb = coding.decode_words(8)
    tolerance = 1e-9 if isinstance(coding, Graded) else lsb * 0.5 + 1e-9
    assert len(words) == coding.max_level
    assert (words >= 1).all()
    # Below half a word LSB a value is kept at one LSB rather than lost.
    assert (np.abs(words * lsb - coding.values()) <= np.maximum(tolerance, lsb)).all()


@given(one_step_codings())
def test_config_round_trip(coding):
    assert coding_from_config(coding.config()) == coding


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SFN((2.0, 1.0), (1.0, 2.0)), "sfn.boundaries: found (2.0, 1.0)"),
        (lambda: SFN((1.0,), (1.0, 2.0)), "expected 1 values"),
        (lambda: MTN(0), "mtn.thresholds: found 0, expected an integer ≥ 1"),
        (lambda: MTN(4, 1.5), "mtn.initial_potential: found 1.5"),
        (lambda: IF(0), "if.steps: found 0"),
        (lambda: Graded(17), "graded.bits: found 17, expected an integer from 1 to 16"),
        (lambda: IF(4).encode(np.zeros((3, 1))), "expected first axis of 4 timesteps"),
        (lambda: Events(4).encode(np.array([[2.0]])), "expected integers from 0 to 1"),
        (lambda: coding_from_config({"kind": "sfm"}), "did you mean 'sfn'?"),
        (lambda: coding_from_config({"kind": "mtn", "thresholdz": 3}), "cannot read a 'mtn' coding"),
    ],
)
def test_bad_codings_say_what_is_wrong(make, message):
    with pytest.raises((InputError, NetworkError)) as error:
        make()
    assert message in str(error.value)


def test_every_coding_has_a_title_and_a_source():
    for kind, coding in CODINGS.items():
        assert coding.kind == kind
        assert len(coding.title) > 10
        assert coding.source
