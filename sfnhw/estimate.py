"""estimate: the whole chain in one call."""

import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Recording
from sfnhw.chip import Chip, load_chip
from sfnhw.errors import InputError, MappingError, SfnhwError, nearest
from sfnhw.ideal import ideal_accuracy
from sfnhw.mapping import map_network
from sfnhw.network import Network
from sfnhw.neurons import Stream
from sfnhw.record import Inputs, record
from sfnhw.run import Run
from sfnhw.sim import price, simulate

# What the multi-threshold network is set beside: IF over the T that the equivalence theorem says is equal, and the
# quantised network at 8 bits and at as many bits as N thresholds carry.
BASELINES = ("if", "graded8", "graded")

Progress = Callable[[str, int, int], None]


def estimate(
    network: Any,
    chip: Chip | str | Path = "reference",
    inputs: Inputs | None = None,
    *,
    labels: NDArray[Any] | None = None,
    fidelity: str = "packet",
    placer: str = "hilbert",
    baselines: Sequence[str] = BASELINES,
    calibration: Any = None,
    conversion: dict[str, Any] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    command: Sequence[str] | None = None,
) -> Run:
    """Estimate what a network costs on a chip.

    Parameters
    ----------
    network : a `Network`, the path of a `.sfn` file, or a trained `torch.nn.Module` (converted on `calibration`, or
        on `inputs`, with the options in `conversion`).
    chip : a `Chip`, the name of a preset, or the path of a chip file.
    inputs : (samples, *input shape); see `record`.
    labels : (samples,), if known.
    baselines : names from `BASELINES`; the same weights under other codings on the same chip. One that this network
        or chip cannot serve is skipped with its reason.
    progress : called as progress(stage, done, total).
    command : for the provenance record.

    Raises
    ------
    SfnhwError : any input that cannot be used; the message says which and why.
    """
    started = time.monotonic()
    if inputs is None:
        raise InputError(field="inputs", found=None, expected="an array (samples, *input shape)")
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    for name in baselines:
        if name not in BASELINES:
            raise InputError(
                field="baselines", found=name, expected=f"{', '.join(BASELINES)}{nearest(name, BASELINES)}"
            )
    network = _as_network(network, inputs, labels, calibration, conversion or {})

    def one(subject: Network, stage: str) -> Run:
        tell = (lambda done, total: progress(stage, done, total)) if progress else None
        if progress:
            progress(f"{stage}: record", 0, 1)
        recording = record(
            subject, inputs, labels=labels, numerics=chip.numerics, threshold_sharing=chip.core.threshold_unit.sharing
        )
        mapping = map_network(subject, chip, placer=placer)
        result = simulate(mapping, recording.activity, fidelity=fidelity, threads=threads, progress=tell)
        cost = price(result)
        return Run(subject, chip, recording, mapping, result, cost, warnings=_warnings(recording))

    main = one(network, _coding_name(network))
    others: dict[str, Run] = {}
    skipped: dict[str, str] = {}
    for name in baselines:
        try:
            others[name] = one(baseline(network, name), name)
        except (SfnhwError, MappingError) as error:
            skipped[name] = str(error)
    provenance = _provenance(chip, main, fidelity, placer, command, time.monotonic() - started)
    return Run(
        main.network,
        chip,
        main.recording,
        main.mapping,
        main.result,
        main.cost,
        others,
        skipped,
        main.warnings,
        provenance,
        ideal_accuracy(network, inputs, main.recording.labels),
    )


def baseline(network: Network, name: str) -> Network:
    """Return the network under the coding that a baseline stands for.

    ``if``: T = N steps (arXiv 2510.23383, Theorem 1: θ_IF = N·θ_M). ``graded8``: 8-bit activations. ``graded``:
    ⌈log2(N + 1)⌉ bits, the fair partner of N thresholds (Yan et al., arXiv 2409.08290).
    """
    from sfnhw.recode import recode

    spiking = [p.coding for p in network.populations if p.role == "hidden" and not isinstance(p.coding, Stream)]
    levels = max((coding.max_level for coding in spiking), default=1)
    if name == "if":
        return recode(network, coding="if", timesteps=max(levels, network.timesteps))
    if name == "graded8":
        return recode(network, coding="graded", bits=8)
    steps = max(levels, network.timesteps)
    return recode(network, coding="graded", bits=max(1, steps.bit_length()))


def _as_network(network: Any, inputs: Inputs, labels: Any, calibration: Any, conversion: dict[str, Any]) -> Network:
    if isinstance(network, Network):
        return network
    if isinstance(network, str | Path):
        return Network.load(network)
    if "torch" in sys.modules and isinstance(network, sys.modules["torch"].nn.Module):
        from sfnhw.convert import convert

        if calibration is None:
            calibration, conversion = inputs, {"labels": labels, **conversion}
        return convert(network, calibration, **conversion)
    raise InputError(
        field="network",
        found=type(network).__name__,
        expected="a sfnhw.Network, a path to a .sfn file, or a torch.nn.Module",
    )


def _coding_name(network: Network) -> str:
    kinds = {p.coding.kind for p in network.populations if p.role == "hidden"}
    return "+".join(sorted(kinds)) or "readout"


def _warnings(recording: Recording) -> tuple[str, ...]:
    out = []
    overflows = {name: n for name, n in recording.overflows.items() if n}
    if overflows:
        worst = max(overflows, key=overflows.__getitem__)
        out.append(
            f"{sum(overflows.values()):,} accumulator values overflowed (most in layer {worst!r}) and were "
            "brought back by the chip's overflow rule"
        )
    if recording.clipped_inputs:
        out.append(f"{recording.clipped_inputs:,} input values lay beyond the input coding's range and were clipped")
    return tuple(out)


def _provenance(
    chip: Chip, run: Run, fidelity: str, placer: str, command: Sequence[str] | None, seconds: float
) -> dict[str, Any]:
    versions = {"python": platform.python_version()}
    for package in ("sfnhw", "numpy", "numba", "scipy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "chip": chip.name,
        "chip_sha256": chip.fingerprint(),
        "price_table": f"{chip.name} at {chip.technology.node_nm:g} nm, {chip.technology.voltage_v:g} V",
        "network": run.network.name,
        "conversion": run.network.metadata,
        "fidelity": fidelity,
        "placer": placer,
        "seed": run.network.metadata.get("seed"),
        "versions": versions,
        "command": list(command) if command else None,
        "wall_time_s": round(seconds, 3),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024),
        "samples": int(np.int64(run.samples)),
    }
