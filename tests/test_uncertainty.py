"""Uncertainty: draws against what the distribution says exactly, and bands that stay inside the table's own extremes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from sfnhw.activity import Recording
from sfnhw.chip import Chip, load_chip
from sfnhw.mapping import map_network
from sfnhw.neurons import SFN
from sfnhw.reports.uncertainty import (
    FAMILIES,
    Bands,
    probability_cheaper,
    ratio_of_draws,
    term_bands,
    tornado,
    uncertainty,
    uniforms,
)
from sfnhw.run import Run
from sfnhw.sim import price, simulate
from sfnhw.sim.cost import TERMS
from tests.networks import chain, random_activity, random_network

REFERENCE = load_chip("reference")


def bands(*rows: tuple[float, float, float]) -> Bands:
    """Rows of (value, low, high)."""
    return Bands(*(np.array(column, float) for column in zip(*rows, strict=True)))


# (low, value, high), zeros and equal ends included.
ROWS = st.lists(
    st.lists(st.one_of(st.just(0.0), st.floats(1e-12, 1e-3)), min_size=3, max_size=3).map(sorted),
    min_size=1,
    max_size=8,
)


def drawn(rows: list[list[float]]) -> Bands:
    return bands(*((value, low, high) for low, value, high in rows))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 99))
def test_draws_stay_between_the_tables_extremes(rows, seed):
    """Every draw of every row, hence of their sum; the value is the median."""
    b = drawn(rows)
    u = np.random.default_rng(seed).random((500, len(rows)))
    x = b.at(u)
    assert (x >= b.low).all()
    assert (x <= b.high).all()
    np.testing.assert_allclose(b.at(np.array(0.5)), b.value, rtol=1e-12)
    np.testing.assert_allclose(b.at(np.array(0.0)), b.low, rtol=1e-12)
    np.testing.assert_allclose(b.at(np.array(1.0)), b.high, rtol=1e-12)
    assert (np.diff(b.at(np.linspace(0, 1, 101)[:, None]), axis=0) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_mean_and_variance_are_the_integrals_of_the_quantiles(rows):
    """∫ Q(u) du and ∫ Q(u)² du over [0, 1], by quadrature of each half; nothing of the closed forms is used."""
    b = drawn([[low * 1e6, value * 1e6, high * 1e6] for low, value, high in rows])
    for i in range(len(rows)):
        one = Bands(b.value[i], b.low[i], b.high[i])
        if one.low > 0 and one.high / one.low > 1e6:
            continue  # quadrature, not the closed form, is bad at cliffs

        def moment(power, one=one):
            halves = ((0.0, 0.5 - 1e-12), (0.5, 1.0))
            return sum(integrate.quad(lambda u: float(one.at(np.array(u))) ** power, *half)[0] for half in halves)

        assert float(one.mean()) == pytest.approx(moment(1), rel=1e-5, abs=1e-15)
        variance = moment(2) - moment(1) ** 2
        assert float(one.variance()) == pytest.approx(variance, rel=1e-3, abs=1e-6 * float(one.high) ** 2 + 1e-15)


def test_draws_agree_with_the_exact_mean_and_variance():
    b = bands((2.0, 1.0, 8.0), (1.0, 0.0, 3.0), (5.0, 5.0, 5.0), (0.0, 0.0, 2.0))
    # By hand: 1/ln 2 and 6/ln 4, halved; a half of (0 + 1)/2 and of 2/ln 3; 5; a half of (0 + 2)/2.
    expected = [(1 / np.log(2) + 6 / np.log(4)) / 2, (0.5 + 2 / np.log(3)) / 2, 5.0, 0.5]
    np.testing.assert_allclose(b.mean(), expected)
    x = b.at(np.random.default_rng(1).random((200_000, 4)))
    error = np.sqrt(b.variance() / 200_000)
    assert (np.abs(x.mean(axis=0) - b.mean()) <= 5 * error).all()
    np.testing.assert_allclose(x.var(axis=0), b.variance(), rtol=0.02, atol=1e-12)
    # Independent rows: variances add up.
    assert x.sum(axis=1).var() == pytest.approx(b.variance().sum(), rel=0.02)


def run_on(chip: Chip, network=None, seed: int = 1) -> Run:
    network = network or chain([5, 40, 20, 3], SFN.uniform(4))
    activity = random_activity(network, seed, samples=2)
    mapping = map_network(network, chip)
    result = simulate(mapping, activity)
    return Run(network, chip, Recording(activity, np.zeros((2, 1))), mapping, result, price(result))


def with_rows(widen: tuple[str, ...]) -> Chip:
    """The reference with no band at all but for these rows."""
    data = REFERENCE.model_dump()
    for action, row in data["energy"].items():
        if action not in widen:
            data["energy"][action] |= {"low_pj": row["energy_pj"], "high_pj": row["energy_pj"]}
    for term, row in data["static"].items():
        unit = term.rpartition("_")[2]
        if term.rpartition("_")[0] not in widen:
            value = row["power_uw"] if unit == "uw" else row["energy_pj"]
            data["static"][term] |= {f"low_{unit}": value, f"high_{unit}": value}
    return Chip.model_validate(data)


def test_a_table_without_bands_gives_no_band():
    run = run_on(with_rows(()))
    found = uncertainty(run, draws=200)
    value = run.cost.total.as_joules(run.samples)["value"]
    assert found["energy_per_inference_j"] == pytest.approx(dict.fromkeys(("mean", "p05", "p50", "p95"), value))
    assert found["by_family"]["energy_per_inference_j"]["p95"] == pytest.approx(value)
    assert all(row["swing_j"] == 0 for row in found["tornado"])
    assert found["standard_deviation_j"] == 0


def test_a_table_with_one_uncertain_row_has_that_rows_distribution():
    run = run_on(with_rows(("weight_read",)))
    found = uncertainty(run, draws=20_000)
    b = term_bands(run.cost, run.samples)
    row = TERMS.index("weight_read")
    rest = b.value.sum() - b.value[row]
    for key, u in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
        # By the definition of the distribution: 5 % is a tenth of the way from low to value on a log scale.
        low, value, high = b.low[row], b.value[row], b.high[row]
        exact = {0.05: low**0.9 * value**0.1, 0.5: value, 0.95: value**0.1 * high**0.9}[u]
        assert found["by_action_j"]["weight_read"][key] == pytest.approx(exact)
        assert found["energy_per_inference_j"][key] == pytest.approx(rest + exact, rel=0.01)
    top = found["tornado"][0]
    assert (top["term"], top["share_of_variance"]) == ("weight_read", pytest.approx(1.0))
    # One uncertain row is one uncertain family.
    assert found["by_family"]["energy_per_inference_j"]["p95"] == pytest.approx(
        found["energy_per_inference_j"]["p95"], rel=0.01
    )


def test_tornado_by_hand():
    """10 + 5 + 1 = 16: the first row moves it from 11 to 26, the second from 15 to 17, the third not at all."""
    rows = tornado(bands((5, 4, 6), (10, 5, 20), (1, 1, 1), (0, 0, 0)), TERMS[:4], {TERMS[0]: "measured"})
    assert [row["term"] for row in rows] == [TERMS[1], TERMS[0], TERMS[2]]
    assert [(row["low_j"], row["high_j"], row["swing_j"]) for row in rows] == [(11, 26, 15), (15, 17, 2), (16, 16, 0)]
    assert rows[1]["source"] == "measured"
    # Log-uniform halves: variances by their moments.
    first = (15 / np.log(2) * 5 / 2 + 30 / np.log(2) * 10 / 2) / 2 - ((5 / np.log(2) + 10 / np.log(2)) / 2) ** 2
    second_mean = (1 / np.log(5 / 4) + 1 / np.log(6 / 5)) / 2
    second = (9 / np.log(5 / 4) / 2 + 11 / np.log(6 / 5) / 2) / 2 - second_mean**2
    assert rows[0]["share_of_variance"] == pytest.approx(first / (first + second))
    assert sum(row["share_of_variance"] for row in rows) == pytest.approx(1)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 1000))
def test_all_bands_lie_within_the_envelope(seed):
    run = run_on(REFERENCE, random_network(seed), seed)
    found = uncertainty(run, draws=2000, seed=seed)
    total = run.cost.total.as_joules(run.samples)
    own, family = found["energy_per_inference_j"], found["by_family"]["energy_per_inference_j"]
    for band in (own, family):
        assert total["low"] <= band["p05"] <= band["p50"] <= band["p95"] <= total["high"]
    for name, energy in run.cost.by_layer().items():
        band, envelope = found["by_layer_j"][name], energy.as_joules(run.samples)
        slack = 1e-9 * envelope["high"]
        assert envelope["low"] - slack <= band["p05"] <= band["p95"] <= envelope["high"] + slack
    for name, band in found["by_action_j"].items():
        envelope = run.cost.by_action()[name].as_joules(run.samples)
        assert band["p50"] == pytest.approx(envelope["value"])
        assert envelope["low"] <= band["p05"] <= band["p95"] <= envelope["high"]


def test_rows_of_a_family_err_together():
    """Percentiles of what moves together add up; of what does not, the band of the sum is narrower."""
    run = run_on(with_rows(("weight_read", "state_write")))
    found, b = uncertainty(run, draws=20_000), term_bands(run.cost, run.samples)
    two = [TERMS.index(term) for term in ("weight_read", "state_write")]
    for key, u in (("p05", 0.05), ("p95", 0.95)):
        exact = np.delete(b.value, two).sum() + b.at(np.array(u))[two].sum()
        assert found["by_family"]["energy_per_inference_j"][key] == pytest.approx(exact, rel=0.01)
    own, family = found["energy_per_inference_j"], found["by_family"]["energy_per_inference_j"]
    assert own["p95"] - own["p05"] < 0.95 * (family["p95"] - family["p05"])


def test_layers_share_the_rows_amounts():
    """Priced draw by draw, layers add up to the total: their means do, and so do their draws' percentiles if alone."""
    run = run_on(REFERENCE)
    names, high = run.cost.layer_term_high_aj()
    assert names == [*run.cost.by_layer()]
    np.testing.assert_allclose(high.sum(axis=0), [e.high_aj for e in run.cost.by_action().values()])
    np.testing.assert_allclose(high.sum(axis=1), [e.high_aj for e in run.cost.by_layer().values()])
    # A layer's p50 is not far from its value where rows are many; exactly it where there is no band.
    found = uncertainty(run_on(with_rows(())), draws=50)["by_layer_j"]
    for name, energy in run.cost.by_layer().items():
        assert found[name]["p50"] == pytest.approx(energy.as_joules(run.samples)["value"])


def test_one_draw_prices_both_networks():
    """A baseline of twice the counts costs twice in every draw; itself, the same: a coin toss. Both without any band."""
    run = run_on(REFERENCE)
    b = term_bands(run.cost, run.samples)
    energy = b.at(uniforms(1000, 0)).sum(axis=1)
    twice = Bands(2 * b.value, 2 * b.low, 2 * b.high).at(uniforms(1000, 0)).sum(axis=1)
    assert ratio_of_draws(energy, twice) == pytest.approx(dict.fromkeys(("mean", "p05", "p50", "p95"), 2.0))
    assert probability_cheaper(energy, twice) == 1
    assert probability_cheaper(twice, energy) == 0
    assert probability_cheaper(energy, energy) == 0.5
    # Two networks that use different rows of the same band err apart: a coin toss too, with a wide ratio.
    x = bands((2.0, 1.0, 4.0), (2.0, 1.0, 4.0)).at(np.random.default_rng(0).random((50_000, 2)))
    assert probability_cheaper(x[:, 0], x[:, 1]) == pytest.approx(0.5, abs=0.01)
    assert ratio_of_draws(x[:, 0], x[:, 1])["p95"] > 2


def test_baselines_in_the_report():
    from dataclasses import replace

    run = run_on(REFERENCE)
    dear = run_on(REFERENCE, chain([5, 80, 60, 3], SFN.uniform(4)))
    found = uncertainty(replace(run, baselines={"same": run, "dear": dear}), draws=500)["comparison"]
    assert [row["name"] for row in found] == ["same", "dear"]
    assert found[0]["probability_this_is_cheaper"] == found[0]["probability_this_is_cheaper_by_family"] == 0.5
    assert found[0]["energy_ratio"]["p95"] == 1
    assert found[1]["probability_this_is_cheaper"] == 1
    assert 1 < found[1]["energy_ratio"]["p05"] < found[1]["energy_ratio"]["p95"]


def test_the_same_seed_gives_the_same_numbers_and_every_term_has_a_family():
    run = run_on(REFERENCE)
    assert uncertainty(run, draws=100, seed=3) == uncertainty(run, draws=100, seed=3)
    assert uncertainty(run, draws=100, seed=3) != uncertainty(run, draws=100, seed=4)
    members = [term for terms in FAMILIES.values() for term in terms]
    assert sorted(members) == sorted(TERMS)
    u = uniforms(10, 0, by_family=True)
    for terms in FAMILIES.values():
        assert (np.ptp(u[:, [TERMS.index(t) for t in terms]], axis=1) == 0).all()
