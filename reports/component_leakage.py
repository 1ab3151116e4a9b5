"""What each component of a powered core leaks."""

from dataclasses import astuple

from sfnhw.chip import Chip, core_area, core_leakage
from sfnhw.chip.area import LOGIC_COMPONENTS

MEMORY_COMPONENTS = ("weight_memory", "state_memory", "axon_table")
ROUTER = "router"
KEYS = ("value", "low", "high")
Band = dict[str, float]


def leakage_by_component_uw(chip: Chip) -> dict[str, Band]:
    """Return component → leakage of one powered core's, ``{value, low, high}``. [µW]

    `gate_leakage` goes by area over the core's logic, and `core_leakage` over its memories; where a chip file gives no
    `gate_leakage`, `core_leakage` is the whole core's and goes by area over memories and logic. Within a row this is an
    attribution; the sum over components is what is priced.
    """
    areas = {name: area.value_mm2 for name, area in core_area(chip).items()}
    whole = core_leakage(chip)
    memories = chip.static_price("core_leakage")
    logic = tuple(w - m for w, m in zip(astuple(whole), astuple(memories), strict=True))
    split = chip.static.gate_leakage_uw is not None
    out = {name: dict.fromkeys(KEYS, 0.0) for name in areas}
    rows = [
        (astuple(memories), MEMORY_COMPONENTS if split else (*MEMORY_COMPONENTS, *LOGIC_COMPONENTS)),
        (logic, LOGIC_COMPONENTS),
        (astuple(chip.static_price("router_leakage")), (ROUTER,)),
    ]
    for powers, names in rows:
        total = sum(areas[name] for name in names)
        for name in names:
            share = areas[name] / total if total else 1 / len(names)
            for key, power in zip(KEYS, powers, strict=True):
                out[name][key] += share * power
    return out
