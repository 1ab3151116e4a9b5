"""run.json: everything that a run says, as plain values with a unit in every key."""

import math
from typing import Any

import numpy as np

from sfnhw.actions import ACTION_NAMES, ACTIONS, OFF_CHIP, OPTIONAL_ROWS, PACKING
from sfnhw.chip import chip_area
from sfnhw.chip.links import between_chips
from sfnhw.chip.prices import STATIC_UNITS
from sfnhw.reports.bank_stalls import bank_stall_report
from sfnhw.reports.comparison import comparison_rows, network_coding
from sfnhw.reports.coverage import coverage
from sfnhw.reports.global_steps import global_steps
from sfnhw.reports.layers import layer_rows
from sfnhw.reports.leakage import area_and_leakage
from sfnhw.reports.mapping_report import mapping_report
from sfnhw.reports.neurobench import neurobench
from sfnhw.reports.overhead import overhead
from sfnhw.reports.pace import pace
from sfnhw.reports.packet_formats import packet_format_rows
from sfnhw.reports.paper_estimates import paper_rows
from sfnhw.reports.rounds_report import rounds_report
from sfnhw.reports.tables import LIMITS, energy_bands_j, exact_energy_aj, layer_action_energy_j
from sfnhw.reports.uncertainty import uncertainty
from sfnhw.run import Run
from sfnhw.units import joules, seconds

SCHEMA_VERSION = 1
OWN_VERTICAL = "link_flit_vertical"


def run_json(run: Run) -> dict[str, Any]:
    """Return the content of run.json: strict JSON values (no NaN, no infinity; what is unknown is None).

    Energies are per inference unless the key says otherwise; `energy_whole_run_aj` holds the exact integers, which add
    up to the same total along every axis. See docs/reports.md for every key.
    """
    n, cost, result, mapping = run.samples, run.cost, run.result, run.mapping
    area = chip_area(run.chip)
    latency = result.timing.latency
    out = {
        "schema_version": SCHEMA_VERSION,
        "fidelity": result.fidelity,
        "inferences_at_flit": result.sample_fidelity.count("flit"),
        "samples": n,
        "energy_per_inference_j": cost.total.as_joules(n),
        "static_energy_per_inference_j": joules(cost.static.value_aj) / n,
        "latency_s": result.latency_s,
        "latency_min_s": seconds(int(latency.min()), run.chip.clock_mhz),
        "latency_max_s": seconds(int(latency.max()), run.chip.clock_mhz),
        "global_steps": global_steps(run),
        "throughput_inferences_per_s": result.throughput_inferences_per_s,
        **pace(run),
        "bank_stalls": bank_stall_report(run),
        "accuracy": run.recording.accuracy,
        "ann_accuracy": run.ann_accuracy,
        "ann_accuracy_on_calibration": run.ann_accuracy_on_calibration,
        "cores_used": mapping.cores_used,
        "cores_available": run.chip.cores,
        "chips": run.chip.chips,
        "flits_between_chips": result.chip_hops / n,
        "area_mm2": area.total.value_mm2,
        "area_low_mm2": area.total.low_mm2,
        "area_high_mm2": area.total.high_mm2,
        "area_by_component_mm2": {name: part.as_json() for name, part in area.components.items()},
        "area_and_leakage": area_and_leakage(run),
        "counts": result.totals(),
        "energy_by_action_j": _per_inference(cost.by_action(), n),
        "energy_by_layer_j": _per_inference(cost.by_layer(), n),
        "energy_by_core_j": {k: v for k, v in _per_inference(cost.by_core(), n).items() if v},
        "energy_by_timestep_j": _per_inference(cost.by_timestep(), n),
        "energy_by_layer_and_action_j": layer_action_energy_j(run),
        "energy_bands_j": energy_bands_j(run),
        "energy_whole_run_aj": exact_energy_aj(run),
        "uncertainty": uncertainty(run),
        "layers": layer_rows(run),
        "packet_formats": packet_format_rows(run),
        "actions": action_rows(run),
        "occupancy": _occupancy(run),
        "mapping": mapping_report(run),
        "rounds": rounds_report(run),
        "events": _events(run),
        "packet_latency_cycles": _packet_latency(run),
        "overhead": overhead(run),
        "comparison": comparison_rows(run),
        "paper_estimates": paper_rows(run),
        "neurobench": neurobench(run).as_json(),
        "baselines_skipped": dict(run.skipped),
        "break_even": run.break_even,
        "sensitivity": run.sensitivity,
        "activity": run.recording.sampled or f"recorded on {n:,} inputs",
        "rates_comparison": run.rates_comparison,
        "coverage": coverage(run),
        "warnings": list(run.warnings),
        "chip": _chip(run),
        "network": _network(run),
        "area_prices": run.chip.price_rows("area"),
        "provenance": run.provenance,
    }
    return strict(out)


def strict(value: Any) -> Any:
    """Return `value` as JSON values: NumPy scalars and arrays unwrapped, NaN and infinities None, keys as text."""
    if isinstance(value, dict):
        return {strict(str(key)): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [strict(item) for item in value]
    if isinstance(value, np.ndarray):
        return strict(value.tolist())
    if isinstance(value, np.generic):
        return strict(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    # A lone surrogate, which a name in a hostile file may hold, cannot be written as UTF-8.
    return str(value).encode("utf-8", "replace").decode("utf-8")


def action_rows(run: Run) -> list[dict[str, Any]]:
    """One row an action or static term: action, meaning, count (per inference; None for static terms), energy_j, low_j,
    high_j, and its price at this configuration: price, price_low, price_high, price_unit, source. Where links of a column
    have a price of their own, `link_flit` has `vertical`, see `_vertical_links`: the row's own price is of the others."""
    prices = {row["action"]: (row, "pj") for row in run.chip.price_rows("energy")}
    meanings = {action.name: action.meaning for action in ACTIONS} | OPTIONAL_ROWS
    for row in run.chip.price_rows("static"):
        name, _, unit = row["term"].rpartition("_")
        prices[name], meanings[name] = (row, unit), STATIC_UNITS[row["term"]]
    totals = run.result.totals()
    rows = []
    for name, energy in run.cost.by_action().items():
        if name in (OFF_CHIP, PACKING) and name not in totals:  # without rounds, or bundles, there is none
            continue
        if name not in prices:  # a row that a chip file may leave out, and that costs nothing then
            continue
        row, unit = prices[name]
        value = next(v for k, v in row.items() if k.endswith(f"_{unit}") and not k.startswith(("low", "high")))
        shown = {"pj": "pJ", "uw": "µW"}[unit] + (
            "" if name in (*ACTION_NAMES, OFF_CHIP, PACKING) or unit == "uw" else " a cycle"
        )
        j = energy.as_joules(run.samples)
        rows.append(
            {
                "action": name,
                "meaning": meanings[name],
                "count": totals[name] / run.samples if name in totals else None,
                "energy_j": j["value"],
                "low_j": j["low"],
                "high_j": j["high"],
                "price": value,
                "price_low": row[f"low_{unit}"],
                "price_high": row[f"high_{unit}"],
                "price_unit": shown,
                "source": row["source"],
            }
        )
        if name == "link_flit" and OWN_VERTICAL in prices:
            rows[-1]["vertical"] = _vertical_links(run, prices[OWN_VERTICAL][0])
    return rows


def _vertical_links(run: Run, row: dict[str, Any]) -> dict[str, Any]:
    """What of `link_flit` goes over links of a column: count (per inference), price, price_low, price_high [pJ], source."""
    nodes = run.result.tables.nodes
    # Links are numbered 4·router + direction: east, west, south, north.
    along = (nodes.link >= 0) & (nodes.link % 4 >= 2) & ~between_chips(run.chip, nodes.link)
    return {
        "count": int(run.result.actions.flits.total()[along].sum()) / run.samples,
        "price": row["energy_pj"],
        "price_low": row["low_pj"],
        "price_high": row["high_pj"],
        "source": row["source"],
    }


def _per_inference(energies: dict[str, Any], samples: int) -> dict[str, float]:
    return {name: joules(energy.value_aj) / samples for name, energy in energies.items()}


def _occupancy(run: Run) -> dict[str, Any]:
    """What the used cores hold, for each limit: capacity of one core, largest demand, mean share over used cores."""
    capacity, used = run.mapping.capacity, [d for d in run.mapping.occupancy() if d.neurons]
    out = {}
    for name in LIMITS:
        limit, demands = getattr(capacity, name), [getattr(d, name) for d in used]
        share = sum(demands) / (len(demands) * limit) if demands and limit else 0.0
        out[name] = {
            "core_capacity": limit,
            "largest_demand": max(demands, default=0),
            "mean_share_of_used_cores": share,
        }
    return out


def _events(run: Run) -> dict[str, Any] | None:
    """What of the inference the event log holds: of which layers (None: of all), and how many events of how many."""
    log = run.events
    if log is None:
        return None
    return {"sample": log.sample, "logged": len(log), "in_all": log.events_in_all, "layers": log.only}


def _packet_latency(run: Run) -> dict[str, float] | None:
    timing = run.result.timing
    if timing.packet_latency is None or not timing.packet_latency.sum():
        return None
    upto = np.cumsum(timing.packet_latency)
    median, late = (int(np.searchsorted(upto, share * upto[-1])) for share in (0.5, 0.99))
    return {
        "mean": timing.packet_latency_sum / int(upto[-1]),
        "median": median,
        "percentile_99": late,
        "max": timing.packet_latency_max,
    }


def _chip(run: Run) -> dict[str, Any]:
    """The chip's fields, flat, with its name."""
    return {**run.chip.fields(), "cores": run.chip.cores}


def _network(run: Run) -> dict[str, Any]:
    network = run.network
    return {
        "name": network.name,
        "coding": network_coding(run),
        "timesteps": network.timesteps,
        "neurons": sum(p.size for p in network.populations),
        "parameters": network.parameters,
        "macs": network.macs,
        "dense_macs": network.dense_macs,
    }
