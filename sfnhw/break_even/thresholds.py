"""One timestep of N thresholds beside N timesteps of one, over N, for each threshold unit.

An IF neuron over T steps and a uniform bank of N = T thresholds at T = 1 give the same value (arXiv 2510.23383,
Theorem 1), so both do the same work; the quantised network of ⌈log2(N + 1)⌉ bits carries as much (arXiv 2409.08290).
"""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from sfnhw.break_even.measure import Tell, figures, measure, relative
from sfnhw.chip import Chip
from sfnhw.chip.threshold_unit import KINDS
from sfnhw.errors import SfnhwError
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.neurons import Relay, Stream
from sfnhw.recode import recode
from sfnhw.record import Inputs, record
from sfnhw.run import Run

COUNTS = (1, 2, 4, 8, 16, 32, 64)
IF_STEPS, QUANTISED = "if", "graded"
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
    where it could be estimated those of `figures` with `against_if` and `against_graded`: the energy over that of IF
    and of the quantised network, ``{value, low, high}`` for every combination of prices.
    """
    rows = []
    scaling = scaling_for(network)
    for n in counts:
        tell(f"break-even at N = {n}")
        runs: dict[str, Run] = {}
        reasons: dict[str, str] = {}
        recordings: dict[str, Any] = {}
        for way, options, on in _ways(n, chip, scaling):
            key = str(options)
            try:
                subject = recode(network, **options)
                if key not in recordings:
                    sharing = on.core.threshold_unit.sharing
                    recordings[key] = record(
                        subject, inputs, labels=labels, numerics=on.numerics, threshold_sharing=sharing
                    )
                runs[way] = measure(subject, _sized(subject, on, chip, placer), recordings[key], fidelity, placer)
            except SfnhwError as error:
                reasons[way] = str(error)
        rows += [_row(n, way, runs, reasons.get(way)) for way, _, _ in _ways(n, chip, scaling)]
    return rows


def scaling_for(network: Network) -> str:
    """Return how every N is calibrated: by least squares, or, for a network without statistics, over its own range.

    With the network's own threshold step kept, a small N would only clip.
    """
    hidden = [p for p in network.populations if p.role == "hidden" and not isinstance(p.coding, Stream | Relay)]
    return "mse" if all("magnitudes" in p.statistics for p in hidden if p.function != "max") else "range"


def _ways(n: int, chip: Chip, scaling: str) -> list[tuple[str, dict[str, Any], Chip]]:
    """(name, how the network is coded, the chip) of everything that is estimated at one N."""
    enough = max(ENOUGH_REGISTERS, chip.core.threshold_unit.registers)
    ways: list[tuple[str, dict[str, Any], Chip]] = [
        (IF_STEPS, {"coding": "if", "timesteps": n, "scaling": scaling}, chip),
        (QUANTISED, {"coding": "graded", "bits": n.bit_length(), "scaling": scaling}, chip),
    ]
    for kind in KINDS:
        on = chip.replace({"core.threshold_unit.kind": kind, "core.threshold_unit.registers": enough})
        spacing = "power-of-two" if kind == "power-of-two" else "uniform"
        ways.append((kind, {"coding": "mtn", "thresholds": n, "spacing": spacing, "scaling": scaling}, on))
    return ways


def _sized(network: Network, on: Chip, chip: Chip, placer: str) -> Chip:
    """Return a chip with as many threshold registers as its fullest core needs, and no fewer than `chip` has."""
    own = chip.core.threshold_unit.registers
    if on.core.threshold_unit.registers == own:
        return on
    needed = max(demand.registers for demand in map_network(network, on, placer=placer).occupancy())
    return on.replace({"core.threshold_unit.registers": max(own, needed)})


def _row(n: int, way: str, runs: dict[str, Run], skipped: str | None) -> dict[str, Any]:
    from sfnhw.reports.comparison import network_coding

    row: dict[str, Any] = {"thresholds": n, "way": way, "skipped": skipped}
    if way not in runs:
        return row
    run = runs[way]
    row |= {"coding": network_coding(run), **figures(run)}
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
