"""The report: one self-contained HTML page. Everything a user's file says passes through Jinja2's autoescape."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from sfnhw.reports import summary, text
from sfnhw.reports.bank_stalls import bank_stall_rows, bank_stall_text
from sfnhw.reports.break_even_text import break_even_rows, rate_sentences, verdict_rows
from sfnhw.reports.comparison import calibration_text, skipped_texts
from sfnhw.reports.global_steps import global_steps_text
from sfnhw.reports.mapping_report import run_cut_text
from sfnhw.reports.overhead_rows import overhead_rows
from sfnhw.reports.rates_table import rates_rows
from sfnhw.reports.rounds_report import rounds_text
from sfnhw.reports.sensitivity_text import sensitivity_sentence
from sfnhw.reports.view import CHIP_LAYER, GROUPS, RunView

# The space between a number and its unit.
UNIT = re.compile(r"(?<=\d) (?=(?:%|×|[fpnµmkMG]?(?:J|W|s|bits?)\b))")
TITLES = {
    "energy": "Where the energy goes",
    "timeline": "When each layer works",
    "utilisation": "How full and how busy the chip is",
    "links": "Traffic between cores",
    "overhead": "What many thresholds cost, beside other ways to spike",
    "break_even": "Where one timestep stops paying",
    "sensitivity": "How far calibration and inputs may be off",
    "packet_latency": "How long packets travel",
    "tornado": "How sure the energy is, and which prices matter",
    "area": "Area, and what leaks",
}


CALIBRATED = {
    "mse": "Every N is calibrated anew, by least squares",
    "range": "Every N spans what this network's own levels span",
}


def page(view: RunView, svgs: Mapping[str, str] | None = None) -> str:
    """Return the page; `svgs` are the figures if they are drawn already.

    A figure's SVG is Matplotlib's own output, in which names are escaped text; nothing else is marked safe.
    """
    from markupsafe import Markup

    drawn = dict(svgs) if svgs is not None else _draw(view)
    figures = [
        {
            "name": name,
            "title": _title(name, view),
            "caption": _caption(name, view),
            "svg": Markup(_inline(drawn[name])),
        }
        for name in drawn
    ]
    rates, break_even = view.json.get("rates_comparison"), view.json.get("break_even")
    html = _template().render(
        view=view,
        run=view.json,
        figures=figures,
        t=_kept_together(),
        calibration=calibration_text(view.json),
        skipped=skipped_texts(view.json["baselines_skipped"]),
        arithmetic_share=_arithmetic_share(view),
        draws={row["name"]: row for row in view.json["uncertainty"]["comparison"]},
        overhead_rows=overhead_rows(view.json["overhead"], view.energy["value"]),
        rates_rows=rates_rows(rates) if rates else [],
        bank_rows=bank_stall_rows(view.json["bank_stalls"]) if view.json.get("bank_stalls") else [],
        break_even_verdicts=verdict_rows(break_even) if break_even else [],
        break_even_sentences=rate_sentences(break_even["spike_rate"]) if break_even else [],
        break_even_rows=break_even_rows(break_even) if break_even else [],
    )
    return str(html)


def _title(name: str, view: RunView) -> str:
    if name == "overhead" and not view.json["overhead"]["thresholds_by_layer"]:
        return "Beside other ways to spike"
    return TITLES.get(name, name)


def _draw(view: RunView) -> dict[str, str]:
    from sfnhw.reports.figures import available, figure
    from sfnhw.reports.image import to_svg

    return {name: to_svg(figure(name, view)) for name in available(view)}


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    source = files("sfnhw.reports").joinpath("templates/report.html.j2").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    environment.filters["capitalize_first"] = lambda sentence: sentence[:1].upper() + sentence[1:]
    return environment.from_string(source)


def _kept_together() -> SimpleNamespace:
    """The functions that write numbers, with no line break between a number and its unit."""

    def kept(function: Callable[..., str]) -> Callable[..., str]:
        return lambda *given: UNIT.sub("\u00a0", function(*given))

    written = (
        text.quantity, text.band, text.ends, text.percent, text.count, text.factor, text.rate, text.spread_text,
        text.price_text, summary.subtitle, summary.accuracy_text, summary.bottleneck_text, summary.measured_text, summary.beyond_one_text,
        summary.beyond_one_static_text, summary.beyond_one_area_text, rounds_text, global_steps_text, run_cut_text,
    )  # fmt: skip
    return SimpleNamespace(**{function.__name__: kept(function) for function in written})


def _printable(value: Any) -> Any:
    """No control character of a user's name reaches the page; what is escaped already (figures, JSON) stays."""
    return text.printable(value) if type(value) is str else value


def _inline(svg: str) -> str:
    """Drop the XML prolog and document type: inside HTML only the element may stand."""
    return svg[svg.index("<svg") :]


def _tornado_caption(view: RunView) -> str:
    found = view.json["uncertainty"]
    family = found["by_family"]["energy_per_inference_j"]
    first = f"; the widest swing is that of {found['tornado'][0]['term']}" if found["tornado"] else ""
    return (
        f"All prices at their low and at their high give {text.ends(view.energy)}. Drawn each on its own from its band, "
        f"90 % of {found['draws']:,} draws lie within {text.ends(found['energy_per_inference_j'], 'p05', 'p95')}, "
        f"drawn together within a family of one cause, within {text.ends(family, 'p05', 'p95')}{first}. Most prices also share "
        "one technology factor, so the truth lies between the last and the first."
    )


def _area_caption(run: Mapping[str, Any]) -> str:
    found = run["area_and_leakage"]
    top = max(found["components"], key=lambda row: row["share_of_area"])
    return (
        f"{_what_has_area(run)} {run['area_mm2']:.3g} mm² ({run['area_low_mm2']:.3g} to {run['area_high_mm2']:.3g}), "
        f"{text.percent(top['share_of_area'])} of it {top['component'].replace('_', ' ')}. Powered cores "
        f"({found['powered_cores']:,}) and all routers leak {text.band(found['leakage_power_w'], 'W')}, which is "
        f"{text.percent(found['energy_share'])} of an inference's energy; {found['gated_cores']:,} cores are gated."
        + _unit_text(found)
    )


def _what_has_area(run: Mapping[str, Any]) -> str:
    chips = run.get("chips", 1)  # runs of older versions are of one
    return "The chip has" if chips == 1 else f"The {chips:,} chips have"


def _unit_text(found: Mapping[str, Any]) -> str:
    """Say for how many thresholds the threshold unit is, and whether the network needs more; older runs do not know."""
    if "unit_serves" not in found:
        return ""
    serves, needs = found["unit_serves"], found["unit_needs"]
    more = f"; this network's N = {needs:,} takes a larger one, which is not in the area" if needs > serves else ""
    return f" The threshold unit is one for N = {serves:,}, what a full core has registers or memory for{more}."


def _top(view: RunView) -> dict[str, Any]:
    layers = {k: v for k, v in view.json["energy_by_layer_j"].items() if k != CHIP_LAYER}
    layer = max(layers, key=layers.__getitem__) if layers else CHIP_LAYER
    actions = view.json["energy_by_action_j"]
    action = max(actions, key=actions.__getitem__)
    total = max(view.energy["value"], 1e-300)
    return {
        "layer": layer,
        "layer_share": layers.get(layer, 0.0) / total,
        "action": action,
        "action_share": actions[action] / total,
    }


def _whole_chip(view: RunView) -> str:
    """What the chip takes beside its layers, if that is more than any of them."""
    layers = view.json["energy_by_layer_j"]
    chip, total = layers.get(CHIP_LAYER, 0.0), view.energy["value"]
    if not total or chip < max(layers.values()):
        return ""
    return f"Cores and routers without a layer take {text.percent(chip / total)} of an inference's energy. "


def _arithmetic_share(view: RunView) -> float:
    """What share of the energy is additions and multiplications at synapses: all that papers' rules count."""
    actions = view.json["energy_by_action_j"]
    counted = sum(actions.get(action, 0.0) for action in GROUPS["synapse arithmetic"])
    return counted / view.energy["value"] if view.energy["value"] else 0.0


def _caption(name: str, view: RunView) -> str:
    """One sentence with this run's numbers."""
    run, top = view.json, _top(view)
    if name == "energy":
        return (
            f"{_whole_chip(view)}Layer {text.clean(top['layer'])} takes {text.percent(top['layer_share'])} of an inference's energy; the "
            f"dearest action is {top['action']} with {text.percent(top['action_share'])}."
        )
    if name == "timeline":
        return (
            f"One inference takes {text.quantity(run['latency_s'], 's')} on an empty chip; bars are means over samples."
        )
    if name == "utilisation":
        return (
            f"{run['cores_used']:,} of {run['cores_available']:,} cores hold a part of the network; the busiest unit of "
            f"any core works {text.percent(float(view.busiest().max(initial=0.0)))} of an inference's time."
            + (f" Part of it are {bank_stall_text(run['bank_stalls'])}." if run.get("bank_stalls") else "")
        )
    if name == "links":
        busy = float(max(view.tables["links"]["busy"], default=0.0))
        return f"The busiest link moves a flit in {text.percent(busy)} of the cycles of an inference."
    if name == "overhead":
        rows = run["comparison"][1:]
        if not rows:
            return "No baseline was asked for."
        parts = [f"{r['coding']}: {text.factor(r['energy_ratio']['value'])}" for r in rows]
        return "Energy of the same network on the same chip, relative to this one: " + "; ".join(parts) + "."
    if name in ("tornado", "area"):
        return _tornado_caption(view) if name == "tornado" else _area_caption(run)
    if name == "sensitivity":
        return sensitivity_sentence(run["sensitivity"])
    if name == "break_even":
        data, formats = run["break_even"], run["chip"]["packet.format"]
        return (
            f"The same weights under other codings on this chip, {data['samples']:,} inferences at {data['fidelity']} "
            f"fidelity. {CALIBRATED[data['scaling']]}; threshold registers are made to suffice; packets are {formats}"
            f"{', which favours sparse spikes over dense values' if formats == 'aer' else ''}."
        )
    return "From the cycle in which a packet is ready to the cycle in which a core or the pins have it whole."
