"""Figures of small, deep and wide runs: texts do not overlap, arrows point where flits go, the page is safe."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import matplotlib.text
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from sfnhw.activity import Activity, Recording
from sfnhw.break_even import break_even
from sfnhw.chip import load_chip
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.neurons import SFN
from sfnhw.reports.figures import FIGURES, available, figure
from sfnhw.reports.page import page
from sfnhw.reports.pareto import pareto_figure, pareto_front
from sfnhw.reports.style import styled
from sfnhw.reports.text import quantity
from sfnhw.reports.view import RunView, as_view
from sfnhw.run import Run
from sfnhw.sensitivity import sensitivity
from sfnhw.sim import price, simulate
from tests.networks import chain, random_activity

# For tests of what else is on a page: its figures take seconds.
NO_FIGURES = {"energy": "<svg/>"}


def renamed(network: Network, names: list[str]) -> Network:
    new = dict(zip([p.name for p in network.populations], names, strict=True))
    return Network(
        tuple(replace(p, name=new[p.name]) for p in network.populations),
        tuple(replace(p, source=new[p.source], target=new[p.target]) for p in network.projections),
        network.name,
    )


def view_of(network: Network, changes: dict[str, object], fidelity: str = "packet") -> RunView:
    chip = load_chip("reference").replace(changes)
    activity: Activity = random_activity(network, 1, samples=2)
    mapping = map_network(network, chip)
    result = simulate(mapping, activity, fidelity=fidelity)
    run = Run(network, chip, Recording(activity, np.zeros((2, 1))), mapping, result, price(result))
    return as_view(replace(run, baselines={"if": run, "graded8": run}, break_even=chart(), sensitivity=disturbed()))


@lru_cache(maxsize=1)
def chart() -> dict:
    """A break-even chart: of one small network, whatever the run is."""
    return break_even(chain([5, 20, 3], SFN.uniform(8)), "reference", np.ones((1, 5)))


@lru_cache(maxsize=1)
def disturbed() -> dict:
    network = chain([5, 20, 3], SFN.uniform(8))
    return sensitivity(network, np.ones((2, 5)), load_chip("reference"))


@lru_cache(maxsize=4)
def deep(size: int) -> RunView:
    """60 layers with long names on a square mesh."""
    network = chain([10, *[20 + k % 7 for k in range(60)], 4], SFN.uniform(8))
    names = [f"backbone.stages.{i // 6}.blocks.{i}.pointwise_convolution" for i in range(62)]
    return view_of(renamed(network, names), {"noc.columns": size, "noc.rows": size})


@lru_cache(maxsize=1)
def small() -> RunView:
    return view_of(chain([5, 40, 300, 3], SFN.uniform(8)), {"core.threshold_unit.kind": "serial"})


@lru_cache(maxsize=1)
def tile() -> RunView:
    """All of the network in one tile of many: no link moves anything."""
    tiles = {"noc.columns": 8, "noc.rows": 4, "noc.cores_per_router": 4}
    return view_of(chain([5, 40, 3], SFN.uniform(8)), tiles)


def on_8() -> RunView:
    return deep(8)


def on_64() -> RunView:
    return deep(64)


@lru_cache(maxsize=1)
def full_mesh() -> RunView:
    """Every core and nearly every link of 64 × 64 in use: a table is enough, nothing needs to be simulated."""
    view = deep(64)
    rng = np.random.default_rng(0)
    flits = rng.gamma(0.5, 100, len(view.tables["links"]["flits"]))
    links = {**view.tables["links"], "flits": flits, "busy": flits / 1e5}
    cores = {**view.tables["cores"], "layers": np.array([f"stage{i % 7}.conv" for i in range(64 * 64)])}
    return RunView(view.json, {**view.tables, "links": links, "cores": cores})


def drawn_texts(fig) -> list[tuple[str, np.ndarray]]:
    """(text, [[x0, y0], [x1, y1]] in pixels) of every text that is really drawn."""
    seen: list[matplotlib.text.Text] = []
    draw = matplotlib.text.Text.draw

    def record(self, renderer):
        seen.append(self)
        return draw(self, renderer)

    canvas = FigureCanvasAgg(fig)
    with pytest.MonkeyPatch.context() as patch, styled():
        patch.setattr(matplotlib.text.Text, "draw", record)
        canvas.draw()
    renderer = canvas.get_renderer()
    boxes = {id(t): (t, matplotlib.text.Text.get_window_extent(t, renderer)) for t in seen if t.get_text().strip()}
    return [(t.get_text(), box.get_points()) for t, box in boxes.values()]


@lru_cache(maxsize=64)
def drawn(make: Callable[[], RunView], name: str) -> tuple[Figure, list[tuple[str, np.ndarray]]]:
    """A figure of one of the runs above and its texts, drawn once for all tests that look at it and change nothing."""
    fig = figure(name, make())
    return fig, drawn_texts(fig)


def overlapping(texts: list[tuple[str, np.ndarray]], slack: float = 1.5) -> list[tuple[str, str]]:
    found = []
    for i, (one, a) in enumerate(texts):
        for other, b in texts[:i]:
            across, up = (min(a[1][k], b[1][k]) - max(a[0][k], b[0][k]) for k in (0, 1))
            if across > slack and up > slack:
                found.append((one, other))
    return found


RUNS = {"small": small, "tile": tile, "8": on_8, "64": on_64, "full": full_mesh}
# Charts of a network of their own: the same in every run.
OF_NO_RUN = {"break_even", "sensitivity"}


@pytest.mark.parametrize(
    ("run", "name"), [(run, name) for run in RUNS for name in FIGURES if run == "small" or name not in OF_NO_RUN]
)
def test_no_two_texts_overlap(run, name):
    assert name in available(RUNS[run]())
    _, texts = drawn(RUNS[run], name)
    assert len(texts) > 3
    assert overlapping(texts) == []


def test_links_that_move_nothing_have_no_scale():
    assert len(drawn(tile, "links")[0].axes) == 1
    with_scale, _ = drawn(small, "links")
    assert any("flits per inference" in axes.get_ylabel() for child in with_scale.axes for axes in child.child_axes)


def test_the_page_says_what_no_layer_takes_where_it_is_most():
    quiet, loud = small(), tile()
    layers = dict(loud.json["energy_by_layer_j"])
    layers["(chip)"] = 0.75 * loud.energy["value"]
    loud = RunView({**loud.json, "energy_by_layer_j": layers}, loud.tables)
    assert "Cores and routers without a layer take 75.0" in page(loud, NO_FIGURES)
    assert "without a layer" not in page(quiet, NO_FIGURES)


@pytest.mark.parametrize("name", ["area", "energy", "overhead", "timeline", "tornado"])
def test_labels_end_inside_the_axes(name):
    fig, shown = drawn(small, name)
    texts = dict(shown)
    for axes in fig.axes:
        right = axes.get_window_extent().x1
        for label in axes.texts:
            assert texts[label.get_text()][1][0] <= right + 1, label.get_text()


@pytest.mark.parametrize("run", ["small", "64", "full"])
def test_arrows_point_where_flits_go(run):
    view = RUNS[run]()
    fig, _ = drawn(RUNS[run], "links")
    arrows = [
        path.vertices
        for collection in fig.axes[0].collections
        if isinstance(collection, PolyCollection) and collection.get_array() is not None
        for path in collection.get_paths()
    ]
    table = view.tables["links"]
    moving = [k for k in range(len(table["flits"])) if table["flits"][k] > 0]
    assert len(arrows) == len(moving)
    for vertices, k in zip(arrows, moving, strict=True):
        tip, tail = vertices[3], (vertices[0] + vertices[6]) / 2
        to, origin = (np.array([table[f"{end}_x"][k], table[f"{end}_y"][k]]) for end in ("to", "from"))
        assert np.allclose((tip - tail) / np.linalg.norm(tip - tail), to - origin)
        assert np.linalg.norm(tip - to) < np.linalg.norm(tip - origin)


def test_a_small_part_of_a_large_mesh_is_cropped():
    for name, panels in (("links", 1), ("utilisation", 2)):
        for axes in drawn(on_64, name)[0].axes[:panels]:
            assert abs(np.subtract(*axes.get_xlim())) < 20
            assert "64 × 64" in axes.get_xlabel()
    assert drawn(full_mesh, "links")[0].axes[0].get_xlim() == (-0.7, 63.7)


def test_the_other_layers_do_not_set_the_axis():
    axes = drawn(on_8, "energy")[0].axes[0]
    longest = max(bar.get_x() + bar.get_width() for bar in axes.patches)
    assert longest > 0.75 * axes.get_xlim()[1]
    assert any("together" in label.get_text() for label in axes.texts)


def test_a_long_tail_of_packets_is_said_not_drawn():
    view = small()
    cycles, packets = np.array([10, 11, 12, 13, 5000]), np.array([400, 300, 200, 99, 1])
    latency = {"mean": 16.0, "median": 11, "percentile_99": 13, "max": 5000}
    tables = {**view.tables, "packets": {"latency_cycles": cycles, "packets": packets}}
    fig = figure("packet_latency", RunView({**view.json, "packet_latency_cycles": latency}, tables))
    axes = fig.axes[0]
    assert axes.get_xlim()[1] < 30
    assert "0.10 % of the packets took longer" in axes.get_xlabel()
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(99.9)
    # Bars stay below the two texts.
    texts = dict(drawn_texts(fig))
    lowest = min(texts[label.get_text()][0][1] for label in axes.texts)
    assert max(bar.get_window_extent().y1 for bar in axes.patches) < lowest


def explored(xy: list[tuple[float, float]]) -> list[dict[str, object]]:
    return [
        {"latency_s": x, "energy_j": y, "area_mm2": 5.0 + i, "label": f"columns {i}"} for i, (x, y) in enumerate(xy)
    ]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12))
def test_the_front_is_what_nothing_dominates(points):
    def dominates(a, b):
        return a[0] <= b[0] and a[1] <= b[1] and a != b

    expected = {i for i, p in enumerate(points) if not any(dominates(q, p) for q in points)}
    assert set(pareto_front(points)) == expected


def test_pareto_labels_lie_on_nothing_and_the_front_is_a_step():
    rng = np.random.default_rng(4)
    rows = explored([(float(x) * 1e-6, float(y) * 1e-6) for x, y in rng.uniform(1, 9, (20, 2))])
    fig = pareto_figure(rows, "kind, sharing, node_nm")
    texts = drawn_texts(fig)
    assert overlapping(texts) == []
    axes = fig.axes[0]
    assert axes.lines[0].get_drawstyle() == "steps-post"
    numbers = [label.get_text() for label in axes.texts]
    assert sorted(map(int, numbers)) == list(range(1, 21))
    boxes = dict(texts)
    points = axes.transData.transform([(1e6 * r["latency_s"], 1e6 * r["energy_j"]) for r in rows])
    for label in numbers:
        (x0, y0), (x1, y1) = boxes[label]
        assert not any(x0 < x < x1 and y0 < y < y1 for x, y in points), label
    assert any("area" in axes.get_xlabel() for axes in fig.axes)


def test_page_of_hostile_names():
    evil = "<script>alert(1)</script>\x1b[31m"
    names = [evil, f"{evil}{{{{ 7 * 7 }}}}", "layer\n2"]
    view = view_of(replace(renamed(chain([4, 8, 2]), names), name=evil), {"name": "<img src=x onerror=y>"})
    html = page(view)
    assert "\x1b" not in html
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "49" not in html[html.index("<h2>Layers") : html.index("<h2>Actions")] or "{{ 7 * 7 }}" in html


def test_page_keeps_numbers_and_units_together():
    html = page(small(), NO_FIGURES)
    cards = html[html.index('<div class="answer">') : html.index("<h2>")]
    assert "energy-delay product" in cards
    assert "Busiest then" in cards
    import re

    assert not re.findall(r"\d (?:%|[fpnµm]?[JWs]\b)", cards)


def test_tornado_bars_are_the_rows():
    """The ten widest, from their low to their high, around the total; no row without a band."""
    view = small()
    rows = view.json["uncertainty"]["tornado"]
    assert [row["swing_j"] for row in rows] == sorted((row["swing_j"] for row in rows), reverse=True)
    axes = drawn(small, "tornado")[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [row["term"] for row in rows[:10]]
    unit = 10.0 ** {"n": 9, "µ": 6, "p": 12}[axes.get_xlabel().split("(")[1][0]]
    bars = [b for b in axes.patches if b.get_height() < 0.7]
    lows, highs = bars[: len(rows[:10])], bars[len(rows[:10]) :]
    for row, low, high in zip(rows, lows, highs, strict=False):
        assert low.get_x() == pytest.approx(unit * row["low_j"])
        assert low.get_x() + low.get_width() == pytest.approx(unit * view.energy["value"])
        assert high.get_x() + high.get_width() == pytest.approx(unit * row["high_j"])


def test_figures_of_a_table_without_bands():
    view = small()
    flat = [{**row, "low_j": view.energy["value"], "high_j": view.energy["value"], "swing_j": 0.0} for row in
            view.json["uncertainty"]["tornado"]]  # fmt: skip
    sure = {**view.json["uncertainty"], "tornado": flat}
    sure["energy_per_inference_j"] = dict.fromkeys(("mean", "p05", "p50", "p95"), view.energy["value"])
    texts = [
        text for text, _ in drawn_texts(figure("tornado", RunView({**view.json, "uncertainty": sure}, view.tables)))
    ]
    assert "no price has a band" in texts
    assert overlapping(drawn_texts(figure("tornado", RunView({**view.json, "uncertainty": sure}, view.tables)))) == []


def test_every_energy_of_the_page_has_a_band():
    """In layers, actions, comparison and components: a lower and an upper end beside each energy."""
    view = small()
    html = page(view, NO_FIGURES)
    for heading, rows in (
        ("Layers", [(r["energy_low_j"], r["energy_high_j"]) for r in view.layers]),
        ("Actions, prices", [(r["low_j"], r["high_j"]) for r in view.json["actions"]]),
    ):
        section = html[html.index(f"<h2>{heading}") :]
        section = section[: section.index("</table>")].replace("\u00a0", " ")
        for low, high in rows:
            assert f"{quantity(low, 'J')} to {quantity(high, 'J')}" in section
    assert "What papers would print" in html
    assert "90&nbsp;% of draws" in html
