"""The multi-threshold overhead as rows of text: each cost absolute and as a share."""

from collections.abc import Mapping
from typing import Any

from sfnhw.reports.text import band, count, percent, quantity

Row = list[str]


def overhead_rows(overhead: Mapping[str, Any], energy_j: float) -> list[Row]:
    """Return rows of: what, this network, with one threshold, what it takes beyond one, its share.

    `overhead` is that of run.json; `energy_j` of an inference, which shares of energy are of.
    """
    parts = (_area_rows, _built_rows, _unit_rows, _time_rows, _payload_rows, _synapse_rows)
    rows = [row for part in parts for row in part(overhead, energy_j)]
    total = overhead["total"]
    return [
        *rows,
        _energy("all of it, at most", "", "", total["energy_at_most_j"], energy_j),
        _energy("of it work: neither clock nor leakage", "", "", total["work_energy_j"], energy_j),
    ]


def _energy(what: str, many: str, one: str, cost: Mapping[str, float], energy_j: float) -> Row:
    return [what, many, one, band(dict(cost)), _share(cost["value"] / energy_j if energy_j else None, "energy")]


def _share(share: float | None, of: str) -> str:
    return f"{percent(share)} of {of}"


def _area_rows(o: Mapping[str, Any], energy_j: float) -> list[Row]:
    area, registers = o["area"], o["registers"]
    used = area["used_cores_mm2"]["value"]
    words = registers["area_mm2"]["value"] - registers["single_threshold_area_mm2"]["value"]
    everything = area["excess_mm2"]["value"]

    def row(what: str, many: str, one: str, mm2: float) -> Row:
        return [what, many, one, f"{mm2:.3g} mm²", _share(mm2 / used if used else None, "used cores")]

    where = " (state memory)" if registers["in_state_memory_bits"] else ""
    return [
        row("threshold registers" + where, f"{count(registers['bits'])} bit",
            f"{count(registers['single_threshold_bits'])} bit", words),
        row("threshold units", f"{count(area['comparators'])} comparators",
            f"{count(area['single_threshold_comparators'])} comparators", everything - words),
    ]  # fmt: skip


def _built_rows(o: Mapping[str, Any], energy_j: float) -> list[Row]:
    """What the chip has for thresholds beyond one, used or not; runs of older versions do not know."""
    if "built" not in o:
        return []
    built = o["built"]
    what = f"units and registers as the chip is built, N = {built['unit_serves']:,}"
    area = f"{built['excess_mm2']['value']:.3g} mm²"
    leakage = _energy("their leakage in all other cycles", "", "", built["leakage_energy_j"], energy_j)
    return [[what, "", "", area, _share(built["share_of_used_cores"], "used cores as built")], leakage]


def _unit_rows(o: Mapping[str, Any], energy_j: float) -> list[Row]:
    names = {"compare": "compares", "threshold_read": "threshold reads", "encode": "levels encoded"}
    return [
        _energy(
            names[action], count(row["count"]), count(row["single_threshold_count"]), row["excess_energy_j"], energy_j
        )
        for action, row in o["threshold_unit"].items()
    ]


def _time_rows(o: Mapping[str, Any], energy_j: float) -> list[Row]:
    time = o["time"]
    latency = [
        "threshold-unit cycles beyond one's",
        count(time["extra_unit_cycles"]),
        "0",
        f"at most {quantity(time['latency_at_most_s'], 's')}",
        _share(time["share_of_latency_at_most"], "latency"),
    ]
    static = {
        key: time["clock_energy_j"][key] + time["leakage_at_most_energy_j"][key] for key in ("value", "low", "high")
    }
    return [latency, _energy("their clock, and at most leakage", "", "", static, energy_j)]


def _payload_rows(o: Mapping[str, Any], energy_j: float) -> list[Row]:
    payload, wider = o["payload"], o["wider_spike"]
    bits = [row["payload_bits"] for row in payload["layers"].values()]
    width = "" if not bits else f"{min(bits)} bit" if min(bits) == max(bits) else f"{min(bits)} to {max(bits)} bit"
    carried = [
        "level on the wire, by its share of the bits (in no total)",
        width,
        "0 bit",
        band(dict(payload["carried_energy_j"])),
        _share(payload["share_of_network_energy"], "routers, links"),
    ]
    flits = _energy("flit hops for the level", count(payload["extra_flit_hops"]), "0",
                    payload["extra_flits_energy_j"], energy_j)  # fmt: skip
    whole = _energy(
        "a wider spike end to end: flits, their time, arithmetic",
        f"{wider['packet_flits']:.3g} flit{'' if wider['packet_flits'] == 1 else 's'} a packet",
        f"{wider['packet_flits_without']:.3g}",
        wider["energy_j"],
        energy_j,
    )
    return [carried, flits, whole]


def _synapse_rows(o: Mapping[str, Any], energy_j: float) -> list[Row]:
    names = {
        "decode_read": "level values looked up",
        "multiply_bit": "partial products at synapses",
        "shift_bit": "shifts at synapses",
    }
    return [
        _energy(names[action], count(row["count"]), "0", row["energy_j"], energy_j)
        for action, row in o["synapse"]["by_action"].items()
    ]
