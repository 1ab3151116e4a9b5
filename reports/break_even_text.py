"""What a break-even chart says: verdicts for each threshold unit, sentences on the spike rate, every point as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from sfnhw.reports.comparison import ADVICE, skipped_texts
from sfnhw.reports.figures.break_even import WAYS
from sfnhw.reports.text import count, factor, percent, quantity

RIVALS = ("if", "graded")


def verdict_rows(data: Mapping[str, Any]) -> list[list[str]]:
    """Return for each threshold unit: its name, and for each rival at which N one timestep takes less, its least share
    of the rival's energy, and from which N it takes more."""
    verdicts = {(v["unit"], v["rival"]): v for v in data["verdicts"]}
    rows = []
    for unit in dict.fromkeys(v["unit"] for v in data["verdicts"]):
        cells = [WAYS[unit][0]]
        for rival in RIVALS:
            verdict = verdicts.get((unit, rival))
            cells += _against(verdict, data["thresholds"]) if verdict else ["", "", ""]
        rows.append(cells)
    return rows


def break_even_rows(data: Mapping[str, Any]) -> list[list[str]]:
    """Return the cells of every point: N, way, energy, over IF, over quantised, latency, accuracy, spikes, flit hops,
    area of threshold units; a point that could not be estimated has its reason in the third."""
    rows = []
    for row in data["thresholds"]:
        label = [f"{row['thresholds']}", WAYS[row["way"]][0]]
        if row["skipped"] is not None:
            rows.append([*label, f"skipped: {row['skipped'].partition(ADVICE)[0]}"])
            continue
        area = row["threshold_unit_area_mm2"]
        rows.append(
            [
                *label,
                quantity(row["energy_j"]["value"], "J"),
                factor(row["against_if"]["value"]) if row["against_if"] else "",
                factor(row["against_graded"]["value"]) if row["against_graded"] else "",
                quantity(row["latency_s"], "s"),
                percent(row["accuracy"]),
                count(row["spikes"]),
                count(row["flit_hops"]),
                "" if area is None else f"{area['value']:.3g} mm²",
            ]
        )
    return rows


def _against(verdict: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    pays, stops = verdict["pays_at"], verdict["stops_at"]
    sure = "" if verdict["certain"] else " *"
    end = f"N = {stops}" if stops else f"not up to N = {max(verdict['counts'])}"
    if not pays:
        return ["nowhere" + sure, "", end]
    ratios = [
        row[f"against_{verdict['rival']}"]["value"]
        for row in rows
        if row["way"] == verdict["unit"] and row["thresholds"] in pays and row["skipped"] is None
    ]
    at = f"N = {pays[0]}" if len(pays) == 1 else f"N = {pays[0]} to {pays[-1]}"
    return [at + sure, percent(min(ratios)), end]


def rate_sentences(data: Mapping[str, Any]) -> list[str]:
    """Return where IF and one timestep break even over the spike rate, and why that is not where it was published."""
    lines, T = data["lines"], data["timesteps"]
    said = []
    for b in data["break_even"]:
        if b["way"] == "if" and b["rival"] == "graded":
            said.append(_crossing(b, T))
    if "if" in lines and "graded" in lines:
        spiking, quantised = lines["if"], lines["graded"]
        said.append(
            f"On these inputs its neurons spike in {percent(spiking['recorded']['rate'])} of their timesteps. Silent, {T} "
            f"steps take {quantity(spiking['fixed_energy_j'], 'J')} and one quantised pass "
            f"{quantity(quantised['fixed_energy_j'], 'J')}; each spike then takes "
            f"{quantity(spiking['energy_per_spike_j'], 'J')}, each quantised value "
            f"{quantity(quantised['energy_per_spike_j'], 'J')}."
        )
    said += [f"Over the spike rate, {text}." for text in skipped_texts(data["skipped"])]
    published = data["published"]
    if not said or not data["break_even"]:  # nothing here to set beside what was published
        return said
    said.append(
        f"Published for T = {published['timesteps']}: below {100 * published['rate']:.3g} % ({published['source']}), from an "
        "analytic model with constants of its own. Three things move the point here: values that are zero are not sent by "
        "the quantised network either, which lowers it (the dense case is beside it); every neuron is walked by the "
        "threshold unit in each timestep, spike or not, which lowers it with T; and on this chip an event takes a weight "
        "fetch and a packet whether it carries one bit or several, so that a spike is hardly cheaper than a value."
    )
    return said


def _crossing(b: Mapping[str, Any], T: int) -> str:
    rival = (
        "if that sent every value"
        if b["rival_rate"] == 1
        else f"as it is on these inputs, where {percent(b['rival_rate'])} of its values are not zero"
    )
    if b["rate"] is None:
        return f"IF over {T} steps takes more than the quantised network at any spike rate, {rival}."
    return (
        f"IF over {T} steps takes less than the quantised network below {percent(b['rate'])} spikes per neuron and "
        f"timestep, {rival}."
    )
