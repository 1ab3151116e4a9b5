"""This network beside the same weights under other codings on the same chip."""

from collections.abc import Mapping
from typing import Any

from sfnhw.neurons import Partial, Stream
from sfnhw.reports.operation_count import operation_count
from sfnhw.reports.overhead import levels_of
from sfnhw.reports.ratio import ratio_band
from sfnhw.reports.run_figures import run_figures
from sfnhw.run import Run

THIS = "this network"
QUANTISED = ("graded8", "graded")
# What stands between a mapping error's reason and its remedies.
ADVICE = "; what would make it fit:"


def comparison_rows(run: Run) -> list[dict[str, Any]]:
    """Return one row for the run itself and one for each baseline; counts are per inference.

    Keys: name, coding, timesteps, scaling (of a baseline: where full scale lies, as in `sfnhw.recode`), accuracy, energy_j and energy_ratio (``{value, low, high}``; the ratio's band holds
    for every combination of the price table's rows, see `sfnhw.reports.ratio`), latency_s,
    throughput_inferences_per_s, spikes, packets, synaptic_operations, flit_hops (flits over links), cores_used,
    threshold_unit_area_mm2 (``{value, low, high}``, units and registers the network needs; None where
    layers requantise: the chip file gives no area for that unit),
    operation_count_j and operation_count_multilevel_as_mac_j (`sfnhw.reports.operation_count`).
    """
    rows = [_row(THIS, run, run)]
    rows += [_row(name, other, run) for name, other in run.baselines.items()]
    return rows


def skipped_texts(skipped: Mapping[str, str]) -> list[str]:
    """Return why baselines were skipped, one sentence a reason, e.g. ``mtn, polarity were skipped: layer ...``.

    What would make one fit is left out: it is advice for a network that is to run, not for one to compare with.
    """
    reasons: dict[str, list[str]] = {}
    for name, reason in skipped.items():
        reasons.setdefault(reason.partition(ADVICE)[0], []).append(name)
    return [f"{', '.join(n)} {'were' if len(n) > 1 else 'was'} skipped: {why}" for why, n in reasons.items()]


def calibration_text(data: Mapping[str, Any]) -> str:
    """Say how the baselines of a run.json were calibrated; empty where there are none, or a run of before does not know."""
    scalings = {row["name"]: row["scaling"] for row in data["comparison"][1:] if row.get("scaling")}
    spiking = {scaling for name, scaling in scalings.items() if name not in QUANTISED}
    parts = [f"spiking ones {_spiking_text(scaling, data)}" for scaling in sorted(spiking)]
    if any(scalings.get(name) == "mse" for name in QUANTISED):
        parts.append("quantised ones are clipped by least squares")
    return "; ".join(parts)


def _spiking_text(scaling: str, data: Mapping[str, Any]) -> str:
    if scaling == "step":
        return (
            "keep this network's own thresholds, since it has no statistics of a calibration, and were not calibrated as "
            "themselves: they may spike more, or be less accurate, than one that `sfnhw convert MODULE --coding ...` makes "
            "of the trained module, to be estimated on the same chip"
        )
    if scaling == "mse":
        return "are calibrated as `convert` does it: each at the least-squares clipping point of its own levels"
    found = data["provenance"].get("conversion", {})
    places = {
        "quantile": f"the {found.get('quantile', 0):g} quantile of the activations",
        "max": "the largest activation",
    }
    where = places.get(found.get("theta", ""), "the theta of its calibration")
    return f"are calibrated as `convert` does it: full scale at {where}, whatever this network's own is"


def _row(name: str, run: Run, this: Run) -> dict[str, Any]:
    operations = operation_count(run)
    return {
        "name": name,
        "coding": network_coding(run),
        "timesteps": run.network.timesteps,
        "scaling": None if name == THIS else run.network.metadata.get("recoded_from", {}).get("scaling"),
        **run_figures(run),
        "energy_ratio": ratio_band(this.cost, this.samples, run.cost, run.samples),
        "throughput_inferences_per_s": run.result.throughput_inferences_per_s,
        "synaptic_operations": int(run.result.counts.row_synapses.sum()) / run.samples,
        "operation_count_j": operations.energy_j,
        "operation_count_multilevel_as_mac_j": operations.multilevel_as_mac_j,
    }


def network_coding(run: Run) -> str:
    """Return the coding of the hidden layers in words, e.g. ``sfn, N = 8, T = 1`` or ``graded, 8 bit``."""
    codings = [p.coding for p in run.network.populations if p.role == "hidden"]
    streams = [c for c in codings if isinstance(c, Stream)]
    hidden = [c for c in codings if not isinstance(c, Stream | Partial)]
    if not codings:
        return "no hidden layer"
    kinds = "/".join(dict.fromkeys(c.kind for c in hidden))
    parts = [kinds]
    if levels_of(run.network) > 1:
        parts.append(f"N = {levels_of(run.network)}")
    bits = [getattr(c, "bits", None) for c in hidden if c.need().kind == "requantise"]
    if bits:
        widths = sorted({b for b in bits if b})
        parts.append(f"{widths[0]} bit" if len(widths) == 1 else f"{widths[0]} to {widths[-1]} bit" if widths else "")
    else:
        parts.append(f"T = {run.network.timesteps}")
    if streams:
        parts.append(f"stream of {max(c.bits for c in streams)} bit")
    return ", ".join(p for p in parts if p)
