"""One timestep of N thresholds beside N timesteps of one, over N, for each threshold unit.

An IF neuron over T steps and a uniform bank of N = T thresholds at T = 1 give the same value (arXiv 2510.23383,
Theorem 1), so both do the same work; the quantised network of ⌈log2(N + 1)⌉ bits carries as much (arXiv 2409.08290).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from sfnhw.activity import Activity
from sfnhw.break_even.measure import Tell, measure, relative
from sfnhw.chip import Chip
from sfnhw.chip.threshold_unit import KINDS
from sfnhw.errors import SfnhwError
from sfnhw.mapping import Mapping, map_network
from sfnhw.network import Network
from sfnhw.recode import keeps_statistics, recode
from sfnhw.record import Inputs, record_on_chip
from sfnhw.reports.comparison import network_coding
from sfnhw.reports.run_figures import run_figures
from sfnhw.run import Run

COUNTS = (1, 2, 4, 8, 16, 32, 64)
IF_STEPS, ONE_STEP, QUANTISED = "if", "one step", "graded"
WAYS = (IF_STEPS, QUANTISED, *KINDS)
# A chart over N asks what N thresholds cost, not whether the registers of one chip hold them: they are made to suffice. A
# network is mapped with this many first, and then a core has what its fullest core needs, since registers leak.
ENOUGH_REGISTERS = 1 << 14


def over_thresholds(
    network: Network,
    chip: Chip,
    inputs: Inputs,
    labels: NDArray[Any] | None,
    counts: Sequence[int],
    fidelity: str,
    placer: str,
    tell: Tell,
) -> list[dict[str, Any]]:
    """Return one row for each N and each way: IF over N steps, the quantised network, N thresholds on each unit.

    Keys: thresholds (N), way (``if``, ``graded`` or the kind of threshold unit), coding, skipped (a reason, or None) and
    where it could be estimated those of `run_figures` with `against_if` and `against_graded`: the energy over that of IF
    and of the quantised network, ``{value, low, high}`` for every combination of prices.
    """
    rows = []
    scaling = scaling_for(network)
    for n in counts:
        tell(f"break-even at N = {n}")
        runs: dict[str, Run] = {}
        reasons: dict[str, str] = {}
        for options, ways in _codings(n, chip, scaling):
            try:
                subject = recode(network, **options)
                recording = record_on_chip(subject, chip, inputs, labels)
            except SfnhwError as error:
                reasons |= dict.fromkeys(ways, str(error))
                continue
            for way, on in ways.items():
                try:
                    runs[way] = measure(_mapped(subject, on, chip, placer, recording.activity), recording, fidelity)
                except SfnhwError as error:
                    reasons[way] = str(error)
        rows += [_row(n, way, runs, reasons.get(way)) for way in WAYS]
    return rows


def scaling_for(network: Network) -> str:
    """Return how every N is calibrated: by least squares, or, for a network without statistics, over its own range.

    With the network's own threshold step kept, a small N would only clip.
    """
    return "mse" if keeps_statistics(network) else "range"


def codings(n: int, scaling: str, spacing: str = "uniform") -> dict[str, dict[str, Any]]:
    """Return way → options of `recode` of the three that carry as much: N steps of IF, N thresholds, ⌈log2(N + 1)⌉ bits."""
    return {
        IF_STEPS: {"coding": "if", "timesteps": n, "scaling": scaling},
        ONE_STEP: {"coding": "mtn", "thresholds": n, "spacing": spacing, "scaling": scaling},
        QUANTISED: {"coding": "graded", "bits": n.bit_length(), "scaling": scaling},
    }


def spacing_of(kind: str) -> str:
    """Return the spacing of thresholds that a kind of threshold unit is asked to serve."""
    return "power-of-two" if kind == "power-of-two" else "uniform"


def _codings(n: int, chip: Chip, scaling: str) -> list[tuple[dict[str, Any], dict[str, Chip]]]:
    """(how the network is coded, way → chip) of everything that is estimated at one N."""
    asked: list[tuple[dict[str, Any], dict[str, Chip]]] = [
        (codings(n, scaling)[way], {way: chip}) for way in (IF_STEPS, QUANTISED)
    ]
    enough = max(ENOUGH_REGISTERS, chip.core.threshold_unit.registers)
    for spacing in ("uniform", "power-of-two"):
        ways = {
            kind: chip.replace({"core.threshold_unit.kind": kind, "core.threshold_unit.registers": enough})
            for kind in KINDS
            if spacing_of(kind) == spacing
        }
        asked.append((codings(n, scaling, spacing)[ONE_STEP], ways))
    return asked


def _mapped(network: Network, on: Chip, chip: Chip, placer: str, activity: Activity) -> Mapping:
    """Map; then give cores as many threshold registers as the fullest needs, and no fewer than `chip` has."""
    mapping = map_network(network, on, placer=placer, activity=activity)
    own = chip.core.threshold_unit.registers
    if on.core.threshold_unit.registers == own:
        return mapping
    needed = max(demand.registers for demand in mapping.occupancy())
    return replace(mapping, chip=on.replace({"core.threshold_unit.registers": max(own, needed)}))


def _row(n: int, way: str, runs: dict[str, Run], skipped: str | None) -> dict[str, Any]:
    row: dict[str, Any] = {"thresholds": n, "way": way, "skipped": skipped}
    if way not in runs:
        return row
    run = runs[way]
    row |= {"coding": network_coding(run), **run_figures(run)}
    for key, other in (("against_if", IF_STEPS), ("against_graded", QUANTISED)):
        row[key] = relative(run, runs[other]) if other in runs else None
    return row


def verdicts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each threshold unit and each rival up to which N one timestep pays, and from which N it does not.

    Keys: unit, rival (``if`` or ``graded``), pays_at (the counts at which its energy is the smaller), stops_at (the first
    count above all of those at which it is the larger, None where there is none), certain (whether the whole band of the
    ratio is on one side of 1 at every count).
    """
    out = []
    for unit in KINDS:
        mine = [row for row in rows if row["way"] == unit and row["skipped"] is None]
        for rival, key in ((IF_STEPS, "against_if"), (QUANTISED, "against_graded")):
            ratios = {row["thresholds"]: row[key] for row in mine if row.get(key)}
            if not ratios:
                continue
            pays = [n for n, ratio in ratios.items() if ratio["value"] < 1]
            beyond = [n for n, ratio in ratios.items() if n > max(pays, default=0) and ratio["value"] > 1]
            out.append(
                {
                    "unit": unit,
                    "rival": rival,
                    "counts": list(ratios),
                    "pays_at": pays,
                    "stops_at": min(beyond) if beyond else None,
                    "certain": all(r["high"] < 1 or r["low"] > 1 or r["low"] == r["high"] for r in ratios.values()),
                }
            )
    return out
