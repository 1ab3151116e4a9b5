"""What a terminal shows: no line over 80 columns, and no number ever cut."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from sfnhw.activity import Recording
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.neurons import SFN
from sfnhw.reports.explore_table import table_text, varied_fields
from sfnhw.reports.few_samples import few_samples_text, standard_error
from sfnhw.reports.page import page
from sfnhw.reports.summary import summary
from sfnhw.reports.terminal import WIDTH, table
from sfnhw.reports.text import field_text, percent, price_text, printable, shortest_ends, spread_text
from sfnhw.reports.view import GROUPS, RunView, as_view
from sfnhw.run import Run
from sfnhw.sim import price, simulate
from sfnhw.sim.cost import TERMS
from tests.networks import chain, random_activity

CELLS = st.text("0123456789.,-% µJsx", min_size=1, max_size=14).filter(lambda text: text == text.strip())
WORDS = st.text("abcdefghi=,", min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_tables_keep_every_number(data):
    columns = data.draw(st.integers(1, 7))
    texts = st.lists(WORDS, min_size=1, max_size=8).map(" ".join)
    rows = [
        [data.draw(texts), *(data.draw(CELLS) for _ in range(columns))] for _ in range(data.draw(st.integers(1, 4)))
    ]
    lines = table(["what"] + [f"head{i}" for i in range(columns)], rows)
    assert all(len(line) <= WIDTH for line in lines)
    whole = "\n".join(lines)
    for row in rows:
        assert all(cell in whole for cell in row[1:])
        # The text wraps, so its letters are all there.
        assert set(row[0]) - {" "} <= set(whole)


def test_a_table_too_wide_becomes_blocks():
    lines = table(["what", "first", "second"], [["row", "1" * 50, "2" * 50]])
    assert [line.split() for line in lines] == [["row"], ["first", "1" * 50], ["second", "2" * 50]]


@pytest.fixture(scope="module")
def view() -> RunView:
    network, chip = chain([5, 40, 3], SFN.uniform(8)), load_chip("reference")
    activity = random_activity(network, 1, samples=2)
    mapping = map_network(network, chip)
    result = simulate(mapping, activity)
    recording = Recording(activity, np.zeros((2, 3)), np.zeros(2, np.int64))
    return as_view(Run(network, chip, recording, mapping, result, price(result)))


def test_summary_with_long_values(view):
    row = view.json["comparison"][0]
    band = {"value": 1234.0, "low": 1023.25, "high": 98765.4}
    other = {**row, "name": "if", "coding": "sfn/polarity/graded, N = 1,024, T = 1, 8 to 16 bit", "energy_ratio": band}
    network = {**view.json["network"], "coding": other["coding"], "neurons": 123_456_789}
    text = summary(RunView({**view.json, "comparison": [row, other], "network": network}, view.tables))
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert ".." not in text
    joined = " ".join(text.split())
    for whole in ("123 M neurons", "2 inferences", "1,234x", "1,020 to 98,800", "100.00 %"):
        assert whole in joined, whole
    assert "for every combination of prices" in joined


def test_summary_says_what_bounds_the_throughput(view):
    text = " ".join(summary(view).split())
    found = view.json["bottleneck"]
    assert f"of {found['place']}" in text or found["unit"] == "link"
    assert re.search(r"energy-delay product [\d.]+ [afpnµ]J s; power [\d.]+ [µm]?W", text)


def test_summary_and_page_say_how_many_inferences_the_throughput_is_of(view):
    """Nothing where it is of all, as in this run of two, and in runs of older versions."""
    back = view.json["back_to_back"]
    assert back["inferences_measured"] == view.json["samples"] == 2
    older = {key: value for key, value in back.items() if key != "inferences_measured"}
    for known in (back, older):
        text = " ".join(summary(RunView({**view.json, "back_to_back": known}, view.tables)).split())
        assert re.search(r"inferences/s back to back then", text)
    some = RunView({**view.json, "samples": 1360, "back_to_back": {**back, "inferences_measured": 48}}, view.tables)
    assert "back to back (48 of 1,360 inferences, chosen by load)" in " ".join(summary(some).split())
    auto = {
        **some.json,
        "fidelity": "auto",
        "inferences_at_flit": 0,
        "back_to_back": {**some.json["back_to_back"], "fidelity": "flit"},
    }
    assert "(48 of 1,360 inferences, chosen by load; flit fidelity)" in " ".join(
        summary(RunView(auto, view.tables)).split()
    )
    assert "</b><span>(48 of 1,360 inferences, chosen by load). " in page(some, {}).replace("\u00a0", " ")


def test_summary_and_page_set_the_mapping_beside_its_bounds(view):
    """Flits are those of the links' own table, which is counted in the simulation."""
    rows = {row["quantity"]: row for row in view.json["mapping"]["bounds"]}
    flits = rows["flits over links"]
    assert flits["achieved"] == pytest.approx(sum(view.tables["links"]["flits"]))
    assert rows["flits over the fullest link"]["achieved"] == max(view.tables["links"]["flits"])
    assert flits["bound"] <= flits["achieved"]
    text = " ".join(summary(view).split())
    assert f"placed by hilbert; achieved / bound: cores {rows['cores']['ratio']:.2f}, flits over links" in text
    table_of = page(view, {"links": "<svg></svg>"})
    assert "placed by hilbert" in table_of
    assert f"{rows['flits over links']['ratio']:.2f}×" in table_of.replace("\u00a0", "")
    old = {key: value for key, value in view.json.items() if key != "mapping"}
    assert "placed by" not in summary(RunView(old, view.tables))


def exploration(errors: int) -> list[dict[str, object]]:
    fields = {
        "core.threshold_unit.lanes": 4,
        "core.function_unit.lanes": 2,
        "core.threshold_unit.kind": "binary-search",
    }
    good = {
        **fields, "energy_j": 1.5e-6, "energy_low_j": 0.7e-6, "energy_high_j": 3.9e-6, "latency_s": 2.5e-5,
        "throughput_inferences_per_s": 76_400.0, "accuracy": 0.9875, "cores_used": 1234, "area_mm2": 7.86, "on_pareto": True, "error": None,
    }  # fmt: skip
    reason = "the network does not fit: needs 22 cores, noc.columns × noc.rows gives 16 (6 short); raise core.neurons"
    other = {"core.function_unit.lanes": 3, "core.threshold_unit.kind": "serial", "error": reason}
    return [good, *({**fields, **other, "core.threshold_unit.lanes": k} for k in range(errors))]


def _unwrapped(text: str) -> str:
    """The first column's text without the numbers that stand beside its first line."""
    first = re.split(r"\n\n", text)[0].splitlines()[2:-1]
    indent = first[0].index("1.50")
    return " ".join(" ".join(line[:indent] for line in first).split()).lstrip("* ")


def test_explore_table_is_whole():
    rows = exploration(3)
    fields = list(rows[0])[:3]
    text = table_text(rows, fields)
    assert all(len(line) <= WIDTH for line in text.splitlines())
    joined = " ".join(text.split())
    # The two fields called "lanes" are told apart, and every setting is there in full.
    assert "threshold_unit.lanes 4, function_unit.lanes 2, kind binary-search" in _unwrapped(text)
    for number in ("1.50", "0.700 to 3.90", "25.0", "98.75", "1,234", "7.86"):
        assert number in joined
    assert "3 of 4 could not be estimated" in joined
    # One reason for all three, once and to its end.
    assert joined.count("raise core.neurons") == 1
    assert all(f"threshold_unit.lanes {k}," in joined for k in range(3))


def test_explore_table_says_once_what_all_points_share():
    rows = [
        {
            **exploration(0)[0],
            "technology.scaling": "stillmaker-baas-2017",
            "technology.node_nm": node,
            "io.router": [0, 1],
        }
        for node in (28.0, 14.0)
    ]
    fields = ["technology.scaling", "technology.node_nm", "io.router"]
    text = " ".join(table_text(rows, fields).split())
    assert "in every point: scaling stillmaker-baas-2017, router [0, 1]" in text
    assert text.count("stillmaker-baas-2017") == text.count("[0, 1]") == 1
    assert "* 28 1.50" in text
    assert "* 14 1.50" in text
    # With nothing that varies the fields are all there is to say.
    assert varied_fields(rows[:1], fields) == fields


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "true"), (None, "left out"), (28.0, "28"), (0.7, "0.7"), ((0, 0), "[0, 0]"), ({1: 1130, 32: 4650}, "{1: 1130, 32: 4650}")],
)  # fmt: skip
def test_fields_are_shown_as_a_chip_file_has_them(value, shown):
    assert field_text(value) == shown


@given(st.floats(0, 1))
def test_only_all_of_it_shows_as_100_percent(share):
    assert (percent(share) == "100 %") == (100 * share == 100)
    assert (percent(share) == "0 %") == (share == 0)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(9.624, "pJ", "9.624 pJ"), (0.0001966, "µW", "196.6 pW"), (1140.0, "µW", "1.14 mW"), (2.065, "pJ a cycle", "2.065 pJ a cycle"), (0, "pJ", "0 pJ")],
)  # fmt: skip
def test_prices_need_no_exponent(value, unit, shown):
    assert price_text(value, unit) == shown


def test_explore_table_with_one_field_has_columns():
    rows = [{**exploration(0)[0], "noc.columns": k} for k in (4, 8)]
    lines = table_text(rows, ["noc.columns"]).splitlines()
    assert lines[2].split() == ["*", "4", "1.50", "0.700", "to", "3.90", "25.0", "76,400", "98.75", "1,234", "7.86"]


def test_explore_table_leaves_throughput_out_before_it_gives_up_columns():
    row = {**exploration(0)[0], "io.bits_per_cycle": 8, "off_chip.latency_cycles": 40}
    fields = ["io.bits_per_cycle", "off_chip.latency_cycles"]
    rows = [row, {**row, "io.bits_per_cycle": 16, "off_chip.latency_cycles": 80}]
    text = table_text(rows, fields)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "76,400" not in text
    assert text.splitlines()[2].split()[:5] == ["*", "8", "40", "1.50", "0.700"]
    assert "76,400" in table_text([{**r, "accuracy": None} for r in rows], fields)


def test_explore_table_has_one_name_for_a_field_that_varies_and_one_that_ends_alike_and_does_not():
    row = {**exploration(0)[0], "core.weight_memory.banks": 4}
    rows = [{**row, "core.state_memory.banks": k} for k in (1, 2)]
    text = table_text(rows, ["core.weight_memory.banks", "core.state_memory.banks"])
    assert "in every point: weight_memory.banks 4" in text
    assert [line.split()[0] for line in text.splitlines()[:2]] == ["state_", "memory.banks"]


@pytest.mark.parametrize("warned", [(), (4,), (8,), (4, 8, 16)])
def test_explore_table_marks_rows_that_have_warnings(warned):
    fields = ["noc.columns", "core.threshold_unit.kind", "core.threshold_unit.lanes"]
    rows = [{**exploration(0)[0], "noc.columns": k, "warnings": "slow" if k in warned else None} for k in (4, 8, 16)]
    for varied in (fields[:1], fields):
        several = (
            rows
            if varied == fields[:1]
            else [{**r, fields[1]: f"some-long-kind-{i}", fields[2]: i} for i, r in enumerate(rows)]
        )
        text = table_text(several, varied)
        assert max(map(len, text.splitlines())) <= WIDTH
        body = [line.split() for line in text.splitlines() if line.startswith("*")][:3]
        assert [row[0] for row in body] == ["*!" if k in warned else "*" for k in (4, 8, 16)]
        assert (f"! in doubt: {len(warned)} of 3 have warnings" in text) == bool(warned)


def test_explore_table_says_how_far_accuracies_of_few_samples_may_be_off():
    rows = [{**exploration(0)[0], "noc.columns": k, "accuracy": p} for k, p in ((4, 0.5), (8, 0.75))]
    # sqrt(0.5 · 0.5 / 16) = 0.125 and sqrt(0.75 · 0.25 / 16) = 0.108
    assert "accuracy of 16 inferences: standard error up to 12.5 points" in table_text(rows, ["noc.columns"], 16)
    assert "standard error" not in table_text(rows, ["noc.columns"], 100)


@pytest.mark.parametrize(
    ("accuracies", "samples", "said"),
    [
        ([0.9], 25, "of 25 inferences: standard error 6.0 points"),
        ([0.9], 99, "of 99 inferences: standard error 3.0 points"),
        ([0.9], 100, ""),
        # 0.05^(1/100) = 0.9705 and 0.05^(1/20000) = 0.99985: the rule of three has 1 - 3/n, 0.97 and 0.99985.
        ([1.0], 100, "of 100 inferences: at least 97.0 %, with 95 % confidence"),
        ([1.0], 20_000, "of 20,000 inferences: at least 99.99 %, with 95 % confidence"),
        ([0.0], 3000, "of 3,000 inferences: at most 0.10 %, with 95 % confidence"),
        ([1.0, 0.9], 100, ""),
        ([1.0, 0.0], 100, ""),
        ([], 5, ""),
        # 0.05^(1/5) = 0.549: a share below it has five of five in less than 5 % of draws.
        ([1.0], 5, "of 5 inferences: at least 54.9 %, with 95 % confidence"),
        ([0.0], 5, "of 5 inferences: at most 45.1 %, with 95 % confidence"),
        ([0.0], 1, "of 1 inference: at most 95.0 %, with 95 % confidence"),
        ([0.0, 1.0], 5, "of 5 inferences: too few to tell accuracies apart"),
    ],
)
def test_few_samples_say_how_far_they_may_be_off(accuracies, samples, said):
    assert few_samples_text(accuracies, samples) == said


@given(st.integers(1, 10**7))
def test_the_bound_of_all_right_is_that_of_the_binomial(samples):
    """The lower end of the exact two-sided 90 % interval, and never written as all of them; near the rule of three."""
    written = few_samples_text([1.0], samples).split("at least ")[1].split(" %")[0]
    exact = 100 * binomtest(samples, samples).proportion_ci(0.9, method="exact").low
    assert abs(float(written) - exact) <= 0.500001 * 10.0 ** -len(written.partition(".")[2])
    assert float(written) < 100
    if samples >= 30:
        assert 100 - exact == pytest.approx(300 / samples, rel=0.06)


@given(st.integers(1, 99), st.data())
def test_the_standard_error_is_that_of_drawn_shares(samples, data):
    """Against the exact distribution: sqrt(Σ_k P(k)·(k/n − p)²) over the binomial P."""
    p = data.draw(st.floats(0.01, 0.99))
    k = np.arange(samples + 1)
    chance = binom.pmf(k, samples, p)
    assert standard_error(p, samples) == pytest.approx(float((chance * (k / samples - p) ** 2).sum() ** 0.5))


def test_the_summary_says_which_format_each_layer_took(view):
    def told(form, formats):
        rows = [{"layer": name, "format": one} for name, one in formats.items()]
        data = {**view.json, "chip": {**view.json["chip"], "packet.format": form}, "packet_formats": rows}
        return " ".join(summary(RunView(data, view.tables)).split())

    assert "packets " not in told("aer", {"a": "aer"})
    text = told("auto", {"a": "aer", "b": "dense", "c": "aer"})
    assert "packets aer from a, c; dense from b" in text
    many = told("auto", {f"layer{k}": "dense" for k in range(30)})
    assert "packets dense from layer0, layer1, layer2, layer3 and 26 more" in many
    assert "bundled from a, b" in told("bundled", {"a": "bundled", "b": "bundled"})


@settings(max_examples=50)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join), min_size=1, max_size=6))
def test_shortest_ends_tell_names_apart(names):
    ends = shortest_ends(names)
    for name, end in zip(names, ends, strict=True):
        assert name == end or name.endswith(f".{end}")
        others = [other for other in names if other != name]
        # No other name ends like this, unless it was the whole name already.
        assert end == name or not any(other == end or other.endswith(f".{end}") for other in others)


def test_a_band_is_never_narrower_than_it_looks():
    assert spread_text(1.001, 1.004) == "1.001 to 1.004"
    assert spread_text(0.98634, 1.2234) == "0.986 to 1.22"


def test_every_cost_belongs_to_one_group_of_the_energy_figure():
    grouped = [term for terms in GROUPS.values() for term in terms]
    assert sorted(grouped) == sorted(TERMS)


def test_control_characters_do_not_pass():
    assert printable("a\x1b[31m\nb\x00\ud800") == "a\ufffd[31m\nb\ufffd\ufffd"


def test_function_units_and_streams_are_named(view):
    from sfnhw.reports.comparison import network_coding
    from sfnhw.reports.coverage import coverage
    from sfnhw.reports.layers import layer_rows
    from tests.networks import random_attention

    network, chip = random_attention(3), load_chip("reference")
    activity = random_activity(network, 3)
    mapping = map_network(network, chip)
    result = simulate(mapping, activity)
    run = Run(network, chip, Recording(activity, np.zeros((2, 3))), mapping, result, price(result))
    codings = {row["name"]: row["coding"] for row in layer_rows(run)}
    assert codings["scores"] == "softmax, then sfn, N = 8"
    assert codings["norm"].startswith("layer_norm, then ")
    assert codings["stream"] == "stream, 8 bit, signed"
    assert network_coding(run).endswith("stream of 8 bit")
    counted = " ".join(coverage(run)["counted"])
    assert "layer_norm, softmax, gelu" in counted
    assert "stationary operand" in counted
    one = as_view(run)
    table_j = one.json["energy_by_layer_and_action_j"]
    drawn = sum(table_j[layer].get(term, 0.0) for layer in table_j for terms in GROUPS.values() for term in terms)
    assert drawn == pytest.approx(one.energy["value"])
    assert replace(run).ann_accuracy is None
