"""The answer in a terminal (80 columns) and in a notebook."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from sfnhw.reports.bank_stalls import bank_stall_text
from sfnhw.reports.comparison import THIS, calibration_text, skipped_texts
from sfnhw.reports.few_samples import few_samples_text
from sfnhw.reports.global_steps import global_steps_text
from sfnhw.reports.mapping_report import bounds_text, run_cut_text
from sfnhw.reports.pace import UNIT_NAMES
from sfnhw.reports.packet_formats import chosen_text
from sfnhw.reports.rates_table import rates_lines
from sfnhw.reports.rounds_report import rounds_text
from sfnhw.reports.sensitivity_text import sensitivity_sentence
from sfnhw.reports.terminal import WIDTH, plain, table, wrapped
from sfnhw.reports.text import band, count, elide, ends, factor, percent, quantity, rate, spread_text
from sfnhw.reports.view import RunView, as_view
from sfnhw.run import Run

LABEL = 12
TOP = 3
# Beyond so much the load of the inferences that an interval is of is not that of all, and the reader is told.
LOAD_OFF = 0.05
# A unit that works for a smaller share of the interval does not set the pace.
FULL = 0.9


def summary(run: "Run | RunView") -> str:
    """Return the answer as plain text, no line wider than 80 columns; ASCII but for µ.

    Texts wrap; names may be elided in their middle; numbers are never cut.
    """
    view = as_view(run)
    lines = [*wrapped(view.title), *wrapped(subtitle(view.json)), ""]
    for label, text in _answers(view.json):
        lines += _line(label, text)
    lines += ["", "most energy"]
    bands = view.json["energy_bands_j"]
    lines += list(_shares("layer", _largest_layers(view.json), bands["by_layer"], view.energy["value"]))
    lines += list(_shares("action", _largest_actions(view.json), bands["by_action"], view.energy["value"]))
    lines += ["", *_comparison(view.json)]
    lines += _asked_for(view.json)
    if view.json.get("rates_comparison"):
        lines += ["", *map(plain, rates_lines(view.json["rates_comparison"]))]
    for text in view.json["warnings"]:
        lines += ["", *wrapped(f"warning: {text}")]
    return "\n".join(line.rstrip() for line in lines)


def summary_html(run: "Run | RunView") -> str:
    """Return a short table for notebooks; every text from the user is escaped."""
    view = as_view(run)
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(label)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for label, text in _answers(view.json)
    )
    warnings = "".join(f"<li>{escape(str(text))}</li>" for text in view.json["warnings"])
    return (
        f"<div><b>{escape(elide(view.title, 120))}</b><br>{escape(subtitle(view.json))}<table>{rows}</table>"
        + (f"<ul>{warnings}</ul>" if warnings else "")
        + "</div>"
    )


def subtitle(data: Mapping[str, Any]) -> str:
    """Return what was estimated in one line: coding, sizes, inferences, fidelity."""
    network, inferences = data["network"], data["samples"]
    fidelity = f"{data['fidelity']} fidelity"
    if data["fidelity"] == "auto":
        at_flit = data["inferences_at_flit"]
        if at_flit in (0, inferences):
            fidelity += f" ({'flit' if at_flit else 'packet'} in all of them)"
        else:
            fidelity += f" (flit in {at_flit:,} of them, packet in the others)"
    return (
        f"{network['coding']}; {count(network['neurons'])} neurons, {count(network['parameters'])} weights and biases; "
        f"{inferences:,} inference{'s' * (inferences != 1)}, {fidelity}"
    )


def _answers(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    static, energy = data["static_energy_per_inference_j"], data["energy_per_inference_j"]
    together = data["back_to_back"]
    yield "energy", f"{band(energy)} an inference"
    sure = data["uncertainty"]
    first = f"; {sure['tornado'][0]['term']} matters most" if sure["tornado"] else ""
    yield "", f"90 % of draws: {ends(sure['energy_per_inference_j'], 'p05', 'p95')}{first}"
    share = static / energy["value"] if energy["value"] else 0.0
    around = ends(data["energy_bands_j"]["static"])
    yield "", f"of it {quantity(static, 'J')} ({around}; {percent(share)}) leakage and clock"
    spread = f"{quantity(data['latency_min_s'], 's')} to {quantity(data['latency_max_s'], 's')}"
    yield "latency", f"{quantity(data['latency_s'], 's')} ({spread} over samples)"
    if data.get("global_steps"):
        yield "", global_steps_text(data["global_steps"])
    product = quantity(data["energy_delay_product_js"]["value"], "J s")
    yield "", f"energy-delay product {product}; power {quantity(data['power_w']['value'], 'W')} meanwhile"
    yield "throughput", f"{rate(data['throughput_inferences_per_s'])} back to back{measured_text(data)}"
    yield (
        "",
        f"then {band(together['energy_per_inference_j'])} an inference, "
        f"{quantity(together['static_energy_per_inference_j'], 'J')} of it static, "
        f"and {band(together['power_w'], 'W')}",
    )
    yield "", bottleneck_text(data["bottleneck"])
    if data.get("bank_stalls"):
        yield "", bank_stall_text(data["bank_stalls"])
    yield "accuracy", accuracy_text(data)
    used, available = data["cores_used"], data["cores_available"]
    chips = data.get("chips", 1)  # runs of older versions are of one
    board = f" of {chips:,} chips" if chips > 1 else ""
    yield "cores", f"{used:,} of {available:,}{board} ({percent(used / available)})"
    if chips > 1:
        yield "", f"{count(data['flits_between_chips'])} flits an inference pass from chip to chip"
    if "mapping" in data:  # runs of older versions have none
        cut = run_cut_text(data)
        if cut:
            yield "", cut
        yield "", bounds_text(data["mapping"])
    formats = chosen_text(data)
    if formats:
        yield "packets", formats
    if data.get("rounds"):
        yield "rounds", rounds_text(data["rounds"])
    low, high = data["area_low_mm2"], data["area_high_mm2"]
    yield "area", f"{data['area_mm2']:.3g} mm2 ({low:.3g} to {high:.3g}), all {available:,} cores"
    if data["overhead"]["thresholds_by_layer"]:
        yield "thresholds", f"beyond one: {beyond_one_text(data['overhead']['total'])}"
        yield "", beyond_one_static_text(data["overhead"]["total"])
        yield "", f"and {beyond_one_area_text(data['overhead'])}"


def beyond_one_text(total: Mapping[str, Any]) -> str:
    """Return what share of the energy thresholds beyond one take, e.g. ``at most 14.8 % of energy``.

    At most, where the threshold unit takes longer for them: its extra cycles may overlap with other work.
    """
    return f"{'at most ' if total['share_of_latency_at_most'] else ''}{percent(total['share_of_energy_at_most'])} of energy"


def beyond_one_static_text(total: Mapping[str, Any]) -> str:
    """Return what that is made of, e.g. ``12.6 % work, 2.2 % leakage and clock``, shares of the whole energy."""
    work = total["share_of_energy_work"]
    return f"{percent(work)} work, {percent(total['share_of_energy_at_most'] - work)} leakage and clock"


def beyond_one_area_text(overhead: Mapping[str, Any]) -> str:
    """Return their share of the used cores' area for the N that the network has, and for the N that the chip is built for."""
    needs = max(overhead["thresholds_by_layer"].values())
    share = f"{percent(overhead['total']['share_of_area'])} for the network's N = {needs:,}"
    if "built" in overhead:  # runs of older versions do not know
        built = overhead["built"]
        share += f", {percent(built['share_of_used_cores'])} as the chip is built, for N = {built['unit_serves']:,}"
    return f"of the area of the cores in use {share}"


def measured_text(data: Mapping[str, Any]) -> str:
    """Return what the interval is of, e.g. `` (45 of 360 inferences, chosen by load; flit fidelity)``, or nothing.

    Nothing is said of all inferences, and of the fidelity that most of them are of.
    """
    back, samples = data["back_to_back"], data["samples"]
    measured = back.get("inferences_measured", samples)  # runs of older versions do not know
    told = [f"{measured:,} of {samples:,} inferences, chosen by load"] if measured < samples else []
    load = back.get("load_of_measured", 1.0)
    if abs(load - 1.0) > LOAD_OFF:
        told.append(f"their load is {percent(load)} of that of all: few are much heavier or lighter")
    if data["fidelity"] == "auto" and back.get("fidelity") == "flit" and data["inferences_at_flit"] < samples:
        told.append("flit fidelity")
    return f" ({'; '.join(told)})" if told else ""


def bottleneck_text(found: Mapping[str, Any]) -> str:
    """Return which unit works most, e.g. ``busiest then: threshold unit of core 12 (conv2), 93.0 %``.

    Where that is not all the time, a faster one would not help by itself, and the reader is told what is waited for.
    """
    unit, layers = UNIT_NAMES[found["unit"]], found["layers"]
    place = found["place"] if found["unit"] == "link" else f"of {found['place']}"
    what = f" ({elide(layers[0], 24, '..')}{f' +{len(layers) - 1}' if len(layers) > 1 else ''})" if layers else ""
    waits = "" if found["busy_share"] >= FULL else ": none is full, layers wait for one another or for the network"
    return f"busiest then: {unit} {place}{what}, {percent(found['busy_share'])}{waits}"


def accuracy_text(data: Mapping[str, Any]) -> str:
    """Return e.g. ``98.89 % on the chip (trained network 99.17 %, -0.28 points)``; both on the same inputs.

    Of few inferences it also says how far it may be off (`sfnhw.reports.few_samples`).
    """
    chip, ann, calibration = data["accuracy"], data["ann_accuracy"], data["ann_accuracy_on_calibration"]
    if str(data.get("activity", "")).startswith("sampled"):
        return "unknown (spikes drawn from rates)"
    if chip is None:
        known = f"; trained network {100 * calibration:.2f} % on its calibration set" if calibration is not None else ""
        return f"unknown (no labels given){known}"
    text = f"{100 * chip:.2f} % on the chip"
    if ann is not None:
        text += f" (trained network {100 * ann:.2f} %, {100 * (chip - ann):+.2f} points)"
    elif calibration is not None:
        # Other inputs: no difference is taken.
        text += f"; trained network {100 * calibration:.2f} % on its calibration set"
    few = few_samples_text([chip], data["samples"])
    return f"{text}; {few}" if few else text


def _largest_layers(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    return _largest(data["energy_by_layer_j"])


def _largest_actions(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    return _largest(data["energy_by_action_j"])


def _largest(energies: Mapping[str, float]) -> list[tuple[str, float]]:
    """The dearest few; what costs nothing is not among them, unless all of it does."""
    rows = sorted(energies.items(), key=lambda kv: -kv[1])[:TOP]
    return [row for row in rows if row[1]] or rows[:1]


def _shares(
    kind: str, rows: list[tuple[str, float]], bands: Mapping[str, dict[str, float]], total: float
) -> Iterator[str]:
    for i, (name, energy) in enumerate(rows):
        label = f"  {kind}" if i == 0 else ""
        share = percent(energy / total if total else 0.0)
        around = ends(bands[name]) if name in bands else ""
        yield f"{label:<{LABEL}}{plain(elide(name, 24, '..')):<26}{quantity(energy, 'J'):>10}{around:>22}{share:>10}"


def _comparison(data: Mapping[str, Any]) -> Iterator[str]:
    rows = data["comparison"]
    if len(rows) < 2 and not data["baselines_skipped"]:
        return
    cells = []
    for row in rows:
        this, ratio = row["name"] == THIS, row["energy_ratio"]
        accuracy = "unknown" if row["accuracy"] is None else f"{100 * row['accuracy']:.2f} %"
        cells.append(
            [
                f"this: {row['coding']}" if this else row["coding"],
                quantity(row["energy_j"]["value"], "J"),
                factor(ratio["value"]).replace(" ", ""),
                "" if this else spread_text(ratio["low"], ratio["high"]),
                quantity(row["latency_s"], "s"),
                accuracy,
            ]
        )
    yield from table(["same network, same chip", "energy", "ratio", "band", "latency", "accuracy"], cells)
    if len(rows) > 1:
        yield from wrapped("band: of the ratio, for every combination of prices within their own bands")
        draws = data["uncertainty"]["comparison"]
        codings = {row["name"]: row["coding"] for row in rows}
        cheaper = "; ".join(f"{codings[d['name']]} in {percent(d['probability_this_is_cheaper'])}" for d in draws)
        yield from wrapped(f"of {data['uncertainty']['draws']:,} draws of prices, this is cheaper than {cheaper}")
    calibration = calibration_text(data)
    if calibration:
        yield from wrapped(f"the others: {calibration}")
    for text in skipped_texts(data["baselines_skipped"]):
        yield from wrapped(text)


def _asked_for(data: Mapping[str, Any]) -> Iterator[str]:
    """What the charts say that a run has only where they were asked for: in a terminal nothing else shows them."""
    if data.get("break_even"):
        from sfnhw.reports.break_even_text import verdict_rows

        rows = [[unit, less_if, less, more] for unit, less_if, _, _, less, _, more in verdict_rows(data["break_even"])]
        if rows:
            head = ["one timestep\ntakes less with", "\nthan IF at", "\nthan quantised at", "\nmore from"]
            yield from [
                "",
                *table(head, rows),
                "*: some combination of prices within their bands turns it round at some N",
            ]
    if data.get("sensitivity"):
        yield from ["", *wrapped(sensitivity_sentence(data["sensitivity"]).replace("θ", "theta"))]


def _line(label: str, text: str) -> list[str]:
    from textwrap import wrap

    lines = wrap(plain(text), WIDTH - LABEL) or [""]
    return [f"{label if i == 0 else '':<{LABEL}}{line}" for i, line in enumerate(lines)]
