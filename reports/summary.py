"""The answer in a terminal (80 columns) and in a notebook."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from sfnhw.reports.comparison import THIS
from sfnhw.reports.rates_table import rates_lines
from sfnhw.reports.text import band, count, elide, factor, percent, quantity, rate
from sfnhw.reports.view import RunView, as_view
from sfnhw.run import Run

WIDTH = 80
LABEL = 12
TOP = 3


def summary(run: "Run | RunView") -> str:
    """Return the answer as plain text, no line wider than 80 columns; ASCII but for µ."""
    view = as_view(run)
    lines = [_ascii(elide(view.title, WIDTH, "..")), _ascii(elide(_subtitle(view.json), WIDTH, "..")), ""]
    lines += [_line(label, text) for label, text in _answers(view.json)]
    lines += ["", "most energy"]
    lines += list(_shares("layer", _largest_layers(view.json), view.energy["value"]))
    lines += list(_shares("action", _largest_actions(view.json), view.energy["value"]))
    lines += ["", *_comparison(view.json)]
    if view.json.get("rates_comparison"):
        lines += ["", *map(_ascii, rates_lines(view.json["rates_comparison"]))]
    for text in view.json["warnings"]:
        lines += ["", *_wrapped(f"warning: {text}")]
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
        f"<div><b>{escape(elide(view.title, 120))}</b><br>{escape(_subtitle(view.json))}<table>{rows}</table>"
        + (f"<ul>{warnings}</ul>" if warnings else "")
        + "</div>"
    )


def _subtitle(data: Mapping[str, Any]) -> str:
    network, inferences = data["network"], data["samples"]
    return (
        f"{network['coding']}; {count(network['neurons'])} neurons, {count(network['parameters'])} weights; "
        f"{inferences:,} inferences, {data['fidelity']} fidelity"
    )


def _answers(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    static = data["static_energy_per_inference_j"]
    energy = data["energy_per_inference_j"]
    yield "energy", f"{band(energy)} an inference"
    share = static / energy["value"] if energy["value"] else 0.0
    yield "", f"of it {quantity(static, 'J')} ({percent(share)}) leakage and clock"
    spread = f"{quantity(data['latency_min_s'], 's')} to {quantity(data['latency_max_s'], 's')}"
    yield "latency", f"{quantity(data['latency_s'], 's')} ({spread} over samples)"
    yield "throughput", rate(data["throughput_inferences_per_s"])
    yield "accuracy", accuracy_text(data)
    used, available = data["cores_used"], data["cores_available"]
    yield "cores", f"{used:,} of {available:,} ({percent(used / available)})"
    low, high = data["area_low_mm2"], data["area_high_mm2"]
    yield "area", f"{data['area_mm2']:.3g} mm2 ({low:.3g} to {high:.3g}), all {available:,} cores"
    total = data["overhead"]["total"]
    if data["overhead"]["thresholds_by_layer"]:
        yield (
            "thresholds",
            f"beyond one: {percent(total['share_of_energy'])} of energy, {percent(total['share_of_area'])} of core area",
        )


def accuracy_text(data: Mapping[str, Any]) -> str:
    """Return e.g. ``98.89 % on the chip (trained network 99.17 %, -0.28 points)``."""
    chip, ann = data["accuracy"], data["ann_accuracy"]
    if chip is None:
        sampled = str(data.get("activity", "")).startswith("sampled")
        return "unknown (spikes drawn from rates)" if sampled else "unknown (no labels given)"
    text = f"{100 * chip:.2f} % on the chip"
    if ann is None:
        return text
    return f"{text} (trained network {100 * ann:.2f} %, {100 * (chip - ann):+.2f} points)"


def _largest_layers(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    return sorted(data["energy_by_layer_j"].items(), key=lambda kv: -kv[1])[:TOP]


def _largest_actions(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    return sorted(data["energy_by_action_j"].items(), key=lambda kv: -kv[1])[:TOP]


def _shares(kind: str, rows: list[tuple[str, float]], total: float) -> Iterator[str]:
    for i, (name, energy) in enumerate(rows):
        label = f"  {kind}" if i == 0 else ""
        share = percent(energy / total if total else 0.0)
        yield f"{label:<{LABEL}}{_ascii(elide(name, 36, '..')):<38}{quantity(energy, 'J'):>12}{share:>12}"


def _comparison(data: Mapping[str, Any]) -> Iterator[str]:
    rows = data["comparison"]
    if len(rows) < 2 and not data["baselines_skipped"]:
        return
    yield f"{'same network, same chip':<32}{'energy':>9}{'ratio':>8}{'':>11}{'latency':>9}{'accuracy':>11}"
    for row in rows:
        this = row["name"] == THIS
        label = _ascii(elide(f"this: {row['coding']}" if this else f"{row['coding']}", 31, ".."))
        ratio = row["energy_ratio"]
        spread = "" if this else f" {ratio['low']:.3g}..{ratio['high']:.3g}"
        accuracy = "unknown" if row["accuracy"] is None else f"{100 * row['accuracy']:.2f} %"
        energy, latency = quantity(row["energy_j"]["value"], "J"), quantity(row["latency_s"], "s")
        line = f"{label:<32}{energy:>9}{factor(ratio['value']).replace(' ×', 'x'):>8}{spread:<11}{latency:>9}{accuracy:>11}"
        yield line if len(line) <= WIDTH else line[:WIDTH]
    for name, reason in data["baselines_skipped"].items():
        yield from _wrapped(f"{name} was skipped: {reason}")


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL}}" + _ascii(elide(text, WIDTH - LABEL, ".."))


def _wrapped(text: str) -> list[str]:
    from textwrap import wrap

    return wrap(_ascii(elide(text, 2000, "..")), WIDTH, subsequent_indent="  ")


def _ascii(text: str) -> str:
    """Keep what every terminal shows, one column a character."""
    return "".join(c if c.isascii() or c == "µ" else "?" for c in text)
