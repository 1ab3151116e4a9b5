"""What `sfnhw convert` says of the network that it made."""

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.cli.columns import WIDTH

if TYPE_CHECKING:
    from sfnhw.network import Network

# Calibration inputs on which spikes are counted: at most so many, and fewer where an input takes long or much memory.
COUNTED_SAMPLES, COUNTED_MACS, COUNTED_VALUES = 512, 10**10, 2**25


def firing(network: "Network", inputs: NDArray[Any]) -> dict[str, Any]:
    """Count the spikes of the first calibration inputs, in real numbers, before any chip's integers.

    Returns
    -------
    samples : inputs that were counted. spikes_per_neuron : packets of the hidden populations per neuron and inference.
    layers : of each hidden population its neurons, spikes per neuron, channels, and channels that never fired.
    silent_layers : populations that never fired.
    """
    from sfnhw.record import record

    neurons = sum(p.size for p in network.populations)
    most = min(
        COUNTED_MACS // max(1, network.macs * network.timesteps), COUNTED_VALUES // (neurons * network.timesteps)
    )
    recording = record(network, inputs[: int(np.clip(most, 1, COUNTED_SAMPLES))], numerics=None)
    layers: list[dict[str, Any]] = []
    total = 0
    for p in network.populations:
        if p.role != "hidden":
            continue
        sent = recording.activity.sent(network, p.name)
        spikes = int(sent.sum())
        fired = sent.any(axis=(0, 1)).reshape(p.channels, -1).any(axis=1)
        total += spikes
        layers.append(
            {
                "name": p.name,
                "neurons": p.size,
                "spikes_per_neuron": spikes / (p.size * recording.activity.samples),
                "channels": p.channels,
                "dead_channels": int((~fired).sum()),
            }
        )
    hidden = sum(layer["neurons"] for layer in layers)
    return {
        "samples": recording.activity.samples,
        "spikes_per_neuron": total / (hidden * recording.activity.samples) if hidden else None,
        "layers": layers,
        "silent_layers": [layer["name"] for layer in layers if layer["dead_channels"] == layer["channels"]],
    }


def about(network: "Network", output: Path, fired: dict[str, Any] | None) -> dict[str, Any]:
    """Return what is known of the network as JSON values; `fired` of `firing`, for a module."""
    found: dict[str, Any] = {
        "file": str(output),
        "name": network.name,
        "populations": len(network.populations),
        "parameters": network.parameters,
        "macs": network.macs,
        "dense_macs": network.dense_macs,
    }
    if fired is None:
        return found | {key: network.metadata.get(key) for key in ("library", "library_found_by")}
    from sfnhw.headroom import headroom_text

    known = network.metadata
    return found | {
        "coding": known["coding"],
        "timesteps": network.timesteps,
        "lambda": known["lambda"],
        "lambda_evaluations": known["lambda_search"]["evaluations"],
        "ann_accuracy": known.get("ann_accuracy"),
        "calibration_samples": known["calibration_samples"],
        "firing": fired,
        "overflow": headroom_text(network),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return the same as text, no line wider than the terminal but where a path is."""
    counts = (
        f"{found['populations']} populations, {found['parameters']:,} weights and biases, {found['macs']:,} synapses, "
        f"{found['dense_macs']:,} dense MACs"
    )
    if "firing" not in found:
        return [_wrapped(f"{found['file']}: {counts}")]
    fired = found["firing"]
    tries = found["lambda_evaluations"]
    how = f"best of {tries} tried" if tries else "not searched"
    text = [_wrapped(f"{found['file']}: {counts}"), f"coding {found['coding']}, λ = {found['lambda']:.4g} ({how})"]
    if found["ann_accuracy"] is not None:
        n = found["calibration_samples"]
        text.append(f"trained network: accuracy {found['ann_accuracy']:.4f} on {n:,} calibration inputs")
    if fired["spikes_per_neuron"] is not None:
        n = fired["samples"]
        text.append(f"spikes: {fired['spikes_per_neuron']:.4g} per neuron and inference ({n:,} calibration inputs)")
    return text + [_wrapped(warning) for warning in _warnings(fired, found["overflow"])]


def _warnings(fired: dict[str, Any], overflow: str | None) -> list[str]:
    silent, n = fired["silent_layers"], fired["samples"]
    out = [f"warning: {overflow}"] if overflow else []
    if silent:
        shown = ", ".join(silent[:8]) + (f" and {len(silent) - 8} more" if len(silent) > 8 else "")
        what = "a layer never fires" if len(silent) == 1 else f"{len(silent)} layers never fire"
        out.append(f"warning: {what} on {n:,} calibration inputs: {shown}")
    dead = sum(row["dead_channels"] for row in fired["layers"] if row["name"] not in silent)
    if dead:
        channels = sum(row["channels"] for row in fired["layers"])
        out.append(f"channels that never fire, in layers that do: {dead:,} of {channels:,}")
    return out


def _wrapped(text: str) -> str:
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
