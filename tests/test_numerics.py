"""The chip's integers at their extremes against plain Python integers, and accuracy as a function of widths."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sfnhw.cli.numerics import parse_bits, table
from sfnhw.errors import InputError
from sfnhw.lowering import lower, uses_decode_table
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import IF, LIF, MTN, SFN, TTFS, Graded, Polarity, Readout
from sfnhw.numerics import Numerics
from sfnhw.numerics_sweep import FIELDS, numerics_sweep
from sfnhw.record import record
from tests.naive_record import bring_back, integers
from tests.networks import chain, random_inputs, random_network


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.sampled_from(["population", "channel"]),
    st.sampled_from([2, 3, 8, 16]),
    st.sampled_from([1, 2, 8, 16]),
    st.sampled_from([2, 3, 16, 32]),
    st.sampled_from([8, 9, 12, 24, 48]),
    st.sampled_from(["saturate", "wrap"]),
)
@example(4, 1, False, "population", 2, 8, 2, 8, "wrap")
@example(4, 3, True, "population", 2, 8, 2, 8, "wrap")
@example(4, 1, False, "channel", 16, 16, 32, 8, "saturate")
@example(4, 3, False, "channel", 16, 16, 2, 48, "wrap")
def test_recording_equals_plain_python_integers(
    seed, T, recurrent, sharing, weight_bits, decode_bits, threshold_bits, accumulator_bits, overflow
):
    network = random_network(seed, T, recurrent, window=False)  # windows: tests/test_record.py
    numerics = Numerics(weight_bits, decode_bits, threshold_bits, accumulator_bits, overflow)
    inputs = random_inputs(network, seed, 1)
    got = record(network, inputs, numerics=numerics, threshold_sharing=sharing)
    image = got.activity.levels["image"][0].tolist()
    levels, overflows = integers(lower(network, numerics, sharing), image)
    for name, expected in levels.items():
        assert got.activity.levels[name][0].tolist() == expected, name
    assert {name: got.overflows[name] for name in overflows} == overflows


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["population", "channel"]),
    st.sampled_from([2, 3, 8]),
    st.sampled_from([8, 10, 24]),
    st.sampled_from(["saturate", "wrap"]),
)
def test_signed_levels_equal_plain_python_integers(seed, sharing, bits, accumulator_bits, overflow):
    """Signed inputs, signed multi-level spikes and signed graded values, all the way to the readout."""
    rng = np.random.default_rng(seed)
    network = Network(
        (
            Population("x", (6,), Graded(5, signed=True), 0.1, role="input"),
            Population("a", (9,), SFN((0.5, 1.0, 2.0, 4.0), (0.5, 1.5, 3.0, 5.0), signed=True), 0.3),
            Population("b", (7,), MTN(3, 0.5, signed=True), 0.4, bias=rng.normal(size=7)),
            Population("c", (5,), Graded(4, signed=True), 0.2),
            Population("y", (3,), Readout(), role="output"),
        ),
        tuple(
            Dense(a, b, rng.normal(size=(n, m)))
            for a, b, m, n in (("x", "a", 6, 9), ("a", "b", 9, 7), ("b", "c", 7, 5), ("c", "y", 5, 3))
        ),
    )
    numerics = Numerics(bits, bits, bits, accumulator_bits, overflow)
    inputs = rng.normal(size=(3, 6))
    got = record(network, inputs, numerics=numerics, threshold_sharing=sharing)
    for sample in range(3):
        levels, _ = integers(lower(network, numerics, sharing), got.activity.levels["x"][sample].tolist())
        for name, expected in levels.items():
            assert got.activity.levels[name][sample].tolist() == expected, name


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([1, 3]),
    st.sampled_from(["population", "channel"]),
    st.integers(2, 16),
    st.integers(1, 16),
    st.integers(2, 32),
    st.integers(8, 48),
)
def test_what_is_stored_fits_its_width(seed, T, sharing, weight_bits, decode_bits, threshold_bits, accumulator_bits):
    """Weights within ±(2**(b−1) − 1), decode words below 2**b, thresholds b significant bits and inside the accumulator."""
    network = random_network(seed, T)
    numerics = Numerics(weight_bits, decode_bits, threshold_bits, accumulator_bits)
    lowered = lower(network, numerics, sharing)
    for q in lowered.projections:
        assert abs(q.weight).max(initial=0) <= 2 ** (weight_bits - 1) - 1
    for p in network.populations:
        side = lowered.populations[p.name]
        if uses_decode_table(network, numerics, p.name):
            assert side.words.max() <= 2**decode_bits - 1
        registers = side.table.thresholds
        if not registers.size or p.function == "max":
            continue
        assert (np.diff(registers, axis=1) >= 0).all()
        assert registers.min() >= 1
        assert registers.max() <= 2 ** (accumulator_bits - 1) - 1
        common = int(np.gcd.reduce(registers.ravel()))
        shift = (common & -common).bit_length() - 1  # low bits that no register needs
        assert (int(registers.max()) >> shift).bit_length() <= threshold_bits


@settings(deadline=None)
@given(st.integers(-(2**60), 2**60), st.integers(8, 48))
def test_wrapping_keeps_the_value_modulo_the_range(value, bits):
    """The reference itself: two's complement is arithmetic modulo 2**b, and within range nothing happens."""
    value %= 2 ** (bits + 6)
    wrapped, over = bring_back(value, bits, "wrap")
    assert (wrapped - value) % 2**bits == 0
    assert -(2 ** (bits - 1)) <= wrapped < 2 ** (bits - 1)
    assert over == (wrapped != value)


def digits_like(seed=0):
    """Two classes that a linear readout of a hidden layer tells apart, and labels from real arithmetic."""
    rng = np.random.default_rng(seed)
    network = Network(
        (
            Population("x", (12,), Graded(8), 1 / 255, role="input"),
            Population("h", (20,), SFN.uniform(8), 0.2, function="relu"),
            Population("y", (4,), Readout(), role="output"),
        ),
        (Dense("x", "h", rng.normal(0, 0.4, (20, 12))), Dense("h", "y", rng.normal(0, 0.4, (4, 20)))),
        metadata={"ann_accuracy": 0.875},
    )
    inputs = rng.random((200, 12))
    return network, inputs, record(network, inputs, numerics=None).outputs.argmax(axis=1)


def test_sweep_records_each_width_once_around_the_chips_own():
    network, inputs, labels = digits_like()
    own = Numerics(weight_bits=6, accumulator_bits=20)
    seen = []
    sweep = numerics_sweep(
        network,
        inputs,
        labels,
        numerics=own,
        weight_bits=(2, 4, 16),
        decode_bits=(),
        threshold_bits=(2, 16),
        accumulator_bits=(8, 24),
        progress=lambda stage, done, total: seen.append((done, total)),
    )
    assert [(r.field, r.value, r.overflow) for r in sweep.rows] == [
        *(("weight_bits", bits, "saturate") for bits in (2, 4, 6, 16)),
        *(("threshold_bits", bits, "saturate") for bits in (2, 16)),
        *(("accumulator_bits", bits, rule) for rule in ("saturate", "wrap") for bits in (8, 20, 24)),
    ]
    assert [r.own for r in sweep.rows] == [
        r.value == getattr(own, r.field) and r.overflow == "saturate" for r in sweep.rows
    ]
    assert seen == [(i, 12) for i in range(12)]
    assert (sweep.real_accuracy, sweep.ann_accuracy, sweep.samples) == (1.0, 0.875, 200)
    for row in sweep.rows:
        tried = {"weight_bits": 6, "accumulator_bits": 20, "overflow": row.overflow, row.field: row.value}
        alone = record(network, inputs, labels=labels, numerics=Numerics(**tried))
        assert row.accuracy == alone.accuracy == row.agreement  # the labels are real arithmetic's answers
        assert row.overflows == sum(alone.overflows.values())
        assert row.overflow_share == row.overflows / (200 * 24)
    assert max(map(len, table(sweep).splitlines())) <= 80


def test_fine_numbers_are_nearly_real_ones_and_coarse_ones_are_not():
    network, inputs, labels = digits_like(1)
    fine = Numerics(16, 16, 32, 48)
    sweep = numerics_sweep(
        network, inputs, labels, numerics=fine, accumulator_bits=(8, 48), weight_bits=(2,), threshold_bits=(2,)
    )
    by = {(r.field, r.value, r.overflow): r for r in sweep.rows}
    best = by["weight_bits", 16, "saturate"]
    assert best.own
    assert best.accuracy > 0.98
    assert best.output_error < 0.02
    assert best.overflows == 0
    for coarse in (("weight_bits", 2, "saturate"), ("threshold_bits", 2, "saturate"), ("accumulator_bits", 8, "wrap")):
        assert by[coarse].output_error > 5 * best.output_error


def test_sweep_without_labels_knows_agreement_alone():
    network, inputs, _ = digits_like()
    sweep = numerics_sweep(network, inputs, weight_bits=(4,), decode_bits=(), threshold_bits=(), accumulator_bits=())
    assert sweep.real_accuracy is None
    assert all(row.accuracy is None and 0 <= row.agreement <= 1 for row in sweep.rows)
    assert "unknown" in table(sweep)


@pytest.mark.parametrize(
    "coding",
    [IF(4), LIF(3, 0.5), TTFS(4), Polarity(5), MTN(6), MTN(6, spacing="power-of-two"), Graded(4), SFN.uniform(1)],
)
def test_decode_bits_are_not_varied_where_nothing_is_looked_up(coding):
    """As narrow as they can be they change no output, so there is nothing to show; and the sweep says so."""
    network = chain([6, 5, 4], coding)
    inputs = random_inputs(network, 3, 5)
    narrow, wide = (record(network, inputs, numerics=Numerics(decode_bits=bits)).outputs for bits in (1, 16))
    assert np.array_equal(narrow, wide)
    sweep = numerics_sweep(network, inputs, weight_bits=(4,), threshold_bits=(), accumulator_bits=())
    assert {row.field for row in sweep.rows} == {"weight_bits"}
    assert "no decode table" in sweep.as_json()["skipped"]["decode_bits"]
    assert "decode bits: no decode table" in table(sweep)
    with pytest.raises(InputError, match="decode_bits: no decode table"):
        numerics_sweep(network, inputs, weight_bits=(), threshold_bits=(), accumulator_bits=())


def test_decode_bits_are_varied_where_one_of_the_widths_needs_a_table():
    network = chain([6, 5, 4], SFN((1.0, 2.0), (1.25, 2.5)))
    sweep = numerics_sweep(
        network, random_inputs(network, 3, 5), weight_bits=(), threshold_bits=(), accumulator_bits=()
    )
    assert {row.field for row in sweep.rows} == {"decode_bits"}
    assert not sweep.skipped


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": (1,)}, "weight_bits: found 1, expected an integer from 2 to 16"),
        ({"accumulator_bits": (64,)}, "accumulator_bits: found 64"),
        ({"weight_bits": (2.5,)}, "weight_bits: found 2.5"),
        ({"overflow": ("clip",)}, "overflow: found 'clip', expected 'saturate' or 'wrap'"),
        (dict.fromkeys(FIELDS, ()), "nothing to vary"),
    ],
)
def test_bad_widths_are_one_sentence(options, message):
    with pytest.raises(InputError) as error:
        numerics_sweep(chain([3, 2]), np.ones((1, 3)), **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "bits"), [("2-5", [2, 3, 4, 5]), ("8", [8]), ("2, 4,8-9", [2, 4, 8, 9]), ("none", [])]
)
def test_bits_are_read(text, bits):
    assert parse_bits("--weight-bits", text) == bits


@pytest.mark.parametrize("text", ["", "a", "2-", "-3", "9-2", "2--4", "2-100", "1e3", "²"])
def test_bad_bits_are_refused(text):
    with pytest.raises(InputError, match="--weight-bits"):
        parse_bits("--weight-bits", text)
