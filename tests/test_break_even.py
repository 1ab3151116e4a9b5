"""Where one timestep stops paying: worked by hand, and held to estimates made one by one."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sfnhw
from sfnhw.break_even import break_even
from sfnhw.break_even.spike_rate import crossing, crossings, hidden_rate
from sfnhw.break_even.thresholds import verdicts
from sfnhw.errors import InputError
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.neurons import SFN
from sfnhw.recode import recode
from sfnhw.record import record
from sfnhw.reports.figures import available, figure
from sfnhw.reports.page import page
from sfnhw.reports.view import as_view
from sfnhw.sim import price, simulate
from tests.command_line import sfnhw as command
from tests.networks import chain
from tests.test_report_figures import drawn_texts, overlapping

REFERENCE = sfnhw.load_chip("reference")
NETWORK = chain([6, 9, 3], SFN.uniform(8), weight=0.3)
INPUTS = np.random.default_rng(0).integers(0, 20, (4, 6)).astype(float)


@pytest.fixture(scope="module")
def chart() -> dict:
    return break_even(NETWORK, REFERENCE, INPUTS, counts=(1, 2, 8), rates=(0.0, 0.25, 0.5, 1.0), timesteps=3)


def of(chart: dict, way: str) -> list[dict]:
    return [row for row in chart["thresholds"] if row["way"] == way]


def energy_of(network: Network) -> float:
    recording = record(network, INPUTS, numerics=REFERENCE.numerics)
    cost = price(simulate(map_network(network, REFERENCE), recording.activity, fidelity="analytic"))
    return cost.total.as_joules(len(INPUTS))["value"]


def test_points_are_the_estimates_that_one_would_make_oneself(chart):
    for n, row in zip((1, 2, 8), of(chart, "if"), strict=True):
        assert row["thresholds"] == n
        assert row["energy_j"]["value"] == energy_of(recode(NETWORK, "if", timesteps=n, scaling="range"))
    for n, bits, row in zip((1, 2, 8), (1, 2, 4), of(chart, "graded"), strict=True):
        # ⌈log2(N + 1)⌉ by hand: 2 outcomes take 1 bit, 3 take 2, 9 take 4
        assert row["energy_j"]["value"] == energy_of(recode(NETWORK, "graded", bits=bits, scaling="range")), n
    eight = of(chart, "parallel")[-1]
    assert eight["energy_j"]["value"] == energy_of(recode(NETWORK, "mtn", thresholds=8, scaling="range"))


def test_one_threshold_is_if_over_one_step(chart):
    """N = T = 1 is the same neuron; the parallel unit takes the same actions for it."""
    assert of(chart, "parallel")[0]["against_if"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_one_hidden_layer_computes_the_same_either_way(chart):
    """The theorem holds for one layer exactly (its input is the same in every step): as many unit spikes as levels."""
    for n in (1, 2, 8):
        levels = record(recode(NETWORK, "mtn", thresholds=n, scaling="range"), INPUTS).activity.levels["l1"]
        spikes = record(recode(NETWORK, "if", timesteps=n, scaling="range"), INPUTS).activity.levels["l1"]
        assert (levels.sum(axis=1) == spikes.sum(axis=1)).all()


def test_ratios_are_of_the_energies(chart):
    rivals = {(r["way"], r["thresholds"]): r["energy_j"]["value"] for r in chart["thresholds"] if not r["skipped"]}
    for row in chart["thresholds"]:
        for key, rival in (("against_if", "if"), ("against_graded", "graded")):
            expected = row["energy_j"]["value"] / rivals[rival, row["thresholds"]]
            assert row[key]["value"] == pytest.approx(expected, rel=1e-12)
            assert row[key]["low"] <= row[key]["value"] <= row[key]["high"]


def test_one_step_sends_at_most_as_many_packets_as_if_does(chart):
    """A level of k is one packet, k unit spikes are k."""
    for one, many in zip(of(chart, "parallel"), of(chart, "if"), strict=True):
        assert one["packets"] <= many["packets"]
        assert one["flit_hops"] <= many["flit_hops"]


def test_verdicts_by_hand():
    def row(n: int, value: float, low: float, high: float) -> dict:
        ratio = {"value": value, "low": low, "high": high}
        return {"thresholds": n, "way": "serial", "skipped": None, "against_if": ratio, "against_graded": None}

    rows = [row(1, 1.0, 1.0, 1.0), row(2, 0.8, 0.7, 0.9), row(4, 0.9, 0.8, 1.1), row(8, 1.2, 1.1, 1.4)]
    rows.append({"thresholds": 16, "way": "serial", "skipped": "does not fit"})
    (found,) = verdicts(rows)
    assert found == {
        "unit": "serial",
        "rival": "if",
        "counts": [1, 2, 4, 8],
        "pays_at": [2, 4],
        "stops_at": 8,
        "certain": False,  # at N = 4 the band holds 1
    }
    assert verdicts(rows[:2])[0] | {"pays_at": 0} == {
        "unit": "serial", "rival": "if", "counts": [1, 2], "pays_at": 0, "stops_at": None, "certain": True,
    }  # fmt: skip
    assert verdicts([rows[3]])[0]["stops_at"] == 8
    # As much as the rival is not more than it.
    assert verdicts([rows[0]])[0]["stops_at"] is None


def test_crossing_by_hand():
    rates, line = [0.0, 0.1, 0.5], [1.0, 2.0, 4.0]
    assert crossing(rates, line, 1.0) is None  # dearer at any rate
    assert crossing(rates, line, 1.5) == pytest.approx(0.05)
    assert crossing(rates, line, 3.0) == pytest.approx(0.3)
    assert crossing(rates, line, 9.0) == 0.5  # cheaper at any rate looked at


@given(
    st.lists(st.floats(0.1, 10), min_size=2, max_size=6, unique=True).map(sorted),
    st.floats(0.05, 12),
    st.floats(0.05, 12),
)
def test_a_dearer_rival_is_beaten_at_higher_rates(line, a, b):
    rates = [i / (len(line) - 1) for i in range(len(line))]
    first, second = (crossing(rates, line, level) for level in sorted((a, b)))
    assert (first or 0.0) <= (second or 0.0) + 1e-12


def test_energy_over_the_rate(chart):
    """Rising in the rate, fixed at rate 0, and linear in the spikes that were drawn but for the times."""
    data = chart["spike_rate"]
    for way, line in data["lines"].items():
        values = [e["value"] for e in line["energy_j"]]
        assert values == sorted(values), way
        assert line["fixed_energy_j"] == values[0]
    assert crossings(data["lines"], data["rates"]) == data["break_even"]
    # T steps of silent updates take more than one step's
    assert data["lines"]["if"]["fixed_energy_j"] > data["lines"]["one step"]["fixed_energy_j"]


def test_the_recorded_rate_is_counted_by_hand(chart):
    network = recode(NETWORK, "if", timesteps=3, scaling="range")
    recording = record(network, INPUTS, numerics=REFERENCE.numerics)
    spikes = sum(int(level != 0) for level in recording.activity.levels["l1"].ravel().tolist())
    assert spikes  # or the test says nothing
    assert hidden_rate(network, recording) == spikes / (4 * 3 * 9)
    assert chart["spike_rate"]["lines"]["if"]["recorded"]["rate"] == spikes / (4 * 3 * 9)


def test_same_seed_same_chart(chart):
    again = break_even(NETWORK, REFERENCE, INPUTS, counts=(1, 2, 8), rates=(0.0, 0.25, 0.5, 1.0), timesteps=3)
    assert again == chart


def test_what_cannot_be_estimated_has_its_reason():
    chart = break_even(NETWORK, REFERENCE, INPUTS, counts=(32,), rates=(0.0, 1.0))
    (row,) = of(chart, "power-of-two")
    assert "at most 16 powers of two" in row["skipped"]
    assert not of(chart, "parallel")[0]["skipped"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": ()}, "counts: found [], expected whole numbers from 1 to 1024, ascending"),
        ({"counts": (4, 2)}, "counts: found [4, 2]"),
        ({"counts": (0, 2)}, "counts: found [0, 2]"),
        ({"counts": (1.5,)}, "counts: found [1.5]"),
        ({"rates": (0.5, 1.5)}, "rates: found [0.5, 1.5], expected numbers from 0 to 1, ascending"),
        ({"timesteps": 0}, "timesteps: found 0, expected a whole number from 1 to 1,024"),
        ({"samples": 0}, "samples: found 0, expected a whole number from 1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError) as caught:
        break_even(NETWORK, REFERENCE, INPUTS, **options)
    assert message in str(caught.value)


def test_report_and_command_line(tmp_path, few_figures):
    NETWORK.save(tmp_path / "net.sfn")
    np.savez(tmp_path / "in.npz", inputs=INPUTS)
    given_ = ("estimate", tmp_path / "net.sfn", "--inputs", tmp_path / "in.npz", "--baselines", "none")
    done = command(*given_, "-o", tmp_path / "run", "--break-even", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)["break_even"]
    assert {row["way"] for row in data["thresholds"]} >= {"if", "graded", "parallel", "serial"}
    text = (tmp_path / "run" / "report.html").read_text()
    assert "Where one timestep stops paying" in text
    told = " ".join(command("report", tmp_path / "run").stdout.split())
    assert "takes less with than IF at than quantised at more from parallel" in told
    assert "arXiv 2409.08290" in text
    assert (tmp_path / "run" / "figures" / "break_even.png").stat().st_size > 10_000
    done = command(*given_, "-o", tmp_path / "plain")
    assert done.returncode == 0, done.stderr
    done = command("plot", tmp_path / "plain", "break_even", "-o", tmp_path / "x.svg")
    assert done.returncode == 2
    assert "--break-even" in done.stderr


def test_energies_are_drawn_over_decades(chart):
    view = as_view(sfnhw.estimate(chain([2, 2, 1]), REFERENCE, np.ones((1, 2)), baselines=()))
    view.json["break_even"] = chart  # type: ignore[index]
    energies, ratios, rates = figure("break_even", view).axes
    assert (energies.get_yscale(), ratios.get_yscale(), rates.get_yscale()) == ("log", "linear", "log")


def test_needs_inputs():
    with pytest.raises(InputError, match="break_even"):
        sfnhw.estimate(NETWORK, rates=sfnhw.Rates.given(NETWORK, {"*": 0.5}), break_even=True)


def test_a_chart_in_which_nothing_fits_is_drawn_all_the_same(few_figures):
    """A chip of one core with three neurons holds no hidden layer of nine: every point has its reason."""
    run = sfnhw.estimate(chain([2, 2, 1]), REFERENCE, np.ones((1, 2)), baselines=(), break_even=True)
    small = REFERENCE.replace({"noc.columns": 1, "noc.rows": 1, "core.neurons": 3})
    chart = break_even(NETWORK, small, INPUTS, counts=(2,), rates=(0.0, 1.0))
    assert all(row["skipped"] for row in chart["thresholds"])
    view = as_view(run)
    view.json["break_even"] = chart  # type: ignore[index]
    assert "break_even" in available(view)
    assert overlapping(drawn_texts(figure("break_even", view))) == []
    html = page(view)
    assert "skipped:" in html
    assert "what would make it fit" not in html
    assert "Over the spike rate, " in html
    assert "Published for" not in html
