"""Area and leakage of each component of a core, for the cores that leaked and the time that they did."""

from dataclasses import astuple
from typing import Any

from sfnhw.chip import chip_area, core_area, core_leakage
from sfnhw.chip.area import largest_bank
from sfnhw.reports.component_leakage import KEYS, ROUTER, leakage_by_component_uw
from sfnhw.reports.overhead import levels_of
from sfnhw.run import Run


def area_and_leakage(run: Run) -> dict[str, Any]:
    """Return area and leakage by component as JSON values.

    Keys
    ----
    powered_cores, gated_cores : cores that leaked, and those whose power was off; every router is powered.
    leakage_power_w, leakage_power_density_w_per_mm2 : ``{value, low, high}`` of powered cores and all routers, and over
        their area at its best estimate.
    gated_leakage_power_w : what the gated cores would leak beside that.
    mean_power_density_w_per_mm2 : the run's whole mean power over the whole chip's area.
    unit_serves, unit_needs : thresholds for each polarity of the threshold unit whose area is counted, which a full core has
        room for, and of the network; where it needs more, its unit takes more than is counted.
    energy_share : leakage's share of an inference's energy.
    components : rows of component, core_area_mm2 and chip_area_mm2 (``{value, low, high}``), share_of_area,
        core_leakage_uw (one powered core or router), leakage_power_w (all that are powered), leakage_energy_j (an
        inference, one at a time), share_of_energy.
    """
    chip, n = run.chip, run.samples
    powered = run.mapping.cores_used if chip.execution.gate_idle_cores else chip.cores
    one, leaks, whole = core_area(chip), leakage_by_component_uw(chip), chip_area(chip)
    energy = run.cost.total.as_joules(n)["value"]
    latency, area = run.result.latency_s, whole.total.value_mm2
    rows: list[dict[str, Any]] = []
    for name, component in one.items():
        many = chip.routers if name == ROUTER else powered
        power = {key: leaks[name][key] * 1e-6 * many for key in KEYS}
        rows.append(
            {
                "component": name,
                "core_area_mm2": component.as_json(),
                "chip_area_mm2": whole.components[name].as_json(),
                "share_of_area": whole.components[name].value_mm2 / area if area else 0.0,
                "core_leakage_uw": leaks[name],
                "leakage_power_w": power,
                "leakage_energy_j": {key: p * latency for key, p in power.items()},
                "share_of_energy": power["value"] * latency / energy if energy else 0.0,
            }
        )
    total = {key: sum(row["leakage_power_w"][key] for row in rows) for key in KEYS}
    on = sum(component.value_mm2 * (chip.routers if name == ROUTER else powered) for name, component in one.items())
    core_uw = core_leakage(chip)
    off = chip.cores - powered
    return {
        "powered_cores": powered,
        "gated_cores": off,
        "leakage_power_w": total,
        "leakage_power_density_w_per_mm2": {key: power / on if on else 0.0 for key, power in total.items()},
        "gated_leakage_power_w": {key: uw * 1e-6 * off for key, uw in zip(KEYS, astuple(core_uw), strict=True)},
        "mean_power_density_w_per_mm2": energy / latency / area if latency and area else 0.0,
        "unit_serves": largest_bank(chip),
        "unit_needs": max(1, levels_of(run.network)),
        "energy_share": total["value"] * latency / energy if energy else 0.0,
        "components": rows,
    }
