"""estimate: the whole chain in one call."""

import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Recording
from sfnhw.chip import Chip, load_chip
from sfnhw.errors import InputError, SfnhwError, nearest
from sfnhw.headroom import told_otherwise
from sfnhw.ideal import ideal_accuracy
from sfnhw.mapping import Mapping as ChipMapping
from sfnhw.mapping import map_network
from sfnhw.mapping.objectives import check_objective
from sfnhw.memory import peak_rss_bytes
from sfnhw.network import Network
from sfnhw.neurons import Partial, Stream
from sfnhw.objective import better
from sfnhw.record import Inputs, record_on_chip
from sfnhw.run import Run
from sfnhw.sim import Result, price, simulate
from sfnhw.timesteps import fitted

if TYPE_CHECKING:
    from sfnhw.rates import Rates

# What the multi-threshold network is set beside: IF over the T that the equivalence theorem says is equal, N uniform
# thresholds, bursts, spike times, and the quantised network at 8 bits and at as many bits as N thresholds carry.
BASELINES = ("if", "mtn", "polarity", "ttfs", "graded8", "graded")

Progress = Callable[[str, int, int], None]

# Inferences drawn from rates where nothing else says how many.
SAMPLES = 16


def estimate(
    network: Any,
    chip: Chip | str | Path = "reference",
    inputs: Inputs | None = None,
    *,
    labels: NDArray[Any] | None = None,
    fidelity: str = "packet",
    placer: str = "hilbert",
    objective: str = "cores",
    mapping: ChipMapping | str | Path | None = None,
    baselines: Sequence[str] = BASELINES,
    break_even: bool = False,
    sensitivity: bool = False,
    calibration: Any = None,
    conversion: dict[str, Any] | None = None,
    rates: "Rates | str | Path | None" = None,
    samples: int | None = None,
    seed: int = 0,
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
    placer : a name from `sfnhw.mapping.PLACERS`; `annealed` weighs each slice with the packets that it sends in this recording, so
        its placement depends on the inputs, and each baseline has a placement of its own.
    objective : a name from `sfnhw.mapping.OBJECTIVES`, how layers are cut: `cores` (the fewest slices), `latency`, `throughput`
        or `energy`. For the last three the cuts follow this recording, and what the mapper's model chooses is simulated
        beside the fewest slices, and the better is kept; for each baseline likewise, for these alone where a mapping is
        given. The chart of `break_even` has the
        fewest slices always.
    mapping : a `Mapping` of this network on this chip, or the path of one (`Mapping.save`, `sfnhw map`), instead of a new
        one; prices and clock may differ. Baselines are other networks: they are mapped with `placer`.
    baselines : names from `BASELINES`; the same weights under other codings on the same chip, calibrated as `convert`
        would (see `baseline`). One that this network or chip cannot serve is skipped with its reason.
    break_even : also chart where one timestep stops paying, over N and over the spike rate (`sfnhw.break_even`).
    sensitivity : also its accuracy with thresholds that are off and inputs that drift (`sfnhw.sensitivity`).
    rates : a `sfnhw.Rates`, or the path of a rates file. Without inputs, spikes are drawn from it: nothing is computed, so
        there is no accuracy, and no baselines (they would spike otherwise). With inputs, the run is the one on the inputs,
        and `Run.rates_comparison` says what the rates would have given instead.
    samples : inferences drawn from rates (default: as many as there are inputs, or 16); seed : of the draw.
    progress : called as progress(stage, done, total).
    command : for the provenance record.

    Raises
    ------
    SfnhwError : any input that cannot be used; the message says which and why.
    """
    started = time.monotonic()
    _check_source(inputs, labels, rates, samples, {"break_even": break_even, "sensitivity": sensitivity})
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    _check_baselines(baselines)
    check_objective(objective)
    network = _as_network(network, inputs, labels, calibration, conversion or {})
    if inputs is not None:
        network = fitted(network, inputs)
    drawn = _as_rates(rates, network)
    mapping = _as_mapping(mapping, network, chip)
    chain = _Chain(chip, inputs, labels, fidelity, placer, objective, mapping, threads, progress)
    sampled = _sampled(drawn, network, inputs, samples, seed)
    main = chain.run(network, _coding_name(network), None if inputs is not None else sampled)
    comparison = _comparison(chain, main, drawn, sampled, seed)
    chart = chain.break_even(network) if break_even else None
    disturbed = chain.sensitivity(network) if sensitivity else None
    others, skipped = _others(chain, network, baselines)
    provenance = _provenance(chip, main, fidelity, command, time.monotonic() - started)
    provenance |= {"objective": objective if mapping is None else None}
    provenance |= {"rates": drawn.source if drawn else None, "rates_seed": seed if drawn else None}
    trained = None if inputs is None else ideal_accuracy(network, inputs, main.recording.labels)
    return replace(
        main,
        baselines=others,
        skipped=skipped,
        provenance=provenance,
        rates_comparison=comparison,
        ann_accuracy=trained,
        break_even=chart,
        sensitivity=disturbed,
    )


@dataclass(frozen=True, eq=False)
class _Chain:
    """record, map, simulate and price, with all that is the same for a network and what it is set beside."""

    chip: Chip
    inputs: Inputs | None
    labels: NDArray[Any] | None
    fidelity: str
    placer: str
    objective: str
    mapping: ChipMapping | None
    threads: int | None
    progress: Progress | None

    def run(self, network: Network, stage: str, recording: Recording | None = None) -> Run:
        """One run; recorded on the inputs where no recording is given."""
        progress = self.progress
        tell = (lambda done, total: progress(stage, done, total)) if progress else None
        if progress:
            progress(f"{stage}: record", 0, 1)
        if recording is None:
            assert self.inputs is not None
            recording = record_on_chip(network, self.chip, self.inputs, self.labels)
        mapping, result, note = self._simulated(network, stage, recording, tell)
        warnings = (
            *_warnings(recording), *([note] if note else []), *result.warnings, *self.chip.technology_warnings,
        )  # fmt: skip
        return Run(network, self.chip, recording, mapping, result, price(result), warnings=warnings)

    def _simulated(
        self, network: Network, stage: str, recording: Recording, tell: Callable[[int, int], None] | None
    ) -> tuple[ChipMapping, Result, str | None]:
        """Mapping and simulation, and what a reader must know of how the mapping was chosen."""
        progress = self.progress
        place = (lambda done, total: progress(f"{stage}: place", done, total)) if progress else None

        def mapped(objective: str) -> ChipMapping:
            return map_network(
                network,
                self.chip,
                placer=self.placer,
                objective=objective,
                activity=recording.activity,
                progress=place,
            )

        def simulated(mapping: ChipMapping) -> Result:
            return simulate(mapping, recording.activity, fidelity=self.fidelity, threads=self.threads, progress=tell)

        if self.mapping is not None and self.mapping.network is network:
            return self.mapping, simulated(self.mapping), None
        return better(self.objective, mapped(self.objective), lambda: mapped("cores"), simulated)

    def break_even(self, network: Network) -> Any:
        """The chart of `sfnhw.break_even`."""
        from sfnhw.break_even import break_even

        assert self.inputs is not None
        with told_otherwise():  # a table of accuracies shows what overflows
            return break_even(
                network, self.chip, self.inputs, labels=self.labels, placer=self.placer, progress=self.progress
            )

    def sensitivity(self, network: Network) -> Any:
        """The tables of `sfnhw.sensitivity`."""
        from sfnhw.sensitivity import sensitivity

        assert self.inputs is not None
        return sensitivity(network, self.inputs, self.chip, self.labels, progress=self.progress)


def _check_source(inputs: Inputs | None, labels: Any, rates: Any, samples: int | None, asked: dict[str, bool]) -> None:
    """Inputs or rates, and nothing that belongs to the other."""
    if inputs is None and rates is None:
        raise InputError(field="inputs", found=None, expected="an array (samples, *input shape), or rates")
    if labels is not None and inputs is None:
        raise InputError("labels belong to inputs, and spikes are drawn from rates", field="labels", expected="None")
    if samples is not None and rates is None:
        raise InputError("are drawn from rates, and none are given", field="samples", found=samples, expected="None")
    for name, wanted in asked.items():
        if wanted and inputs is None:
            raise InputError("needs inputs, and spikes are drawn from rates", field=name, found=True, expected="False")


def _check_baselines(baselines: Sequence[str]) -> None:
    if isinstance(baselines, str) or not isinstance(baselines, Sequence):
        raise InputError(field="baselines", found=baselines, expected=f"a list of names from {', '.join(BASELINES)}")
    for name in baselines:
        if name not in BASELINES:
            raise InputError(
                field="baselines", found=name, expected=f"{', '.join(BASELINES)}{nearest(name, BASELINES)}"
            )


def _others(chain: _Chain, network: Network, baselines: Sequence[str]) -> tuple[dict[str, Run], dict[str, str]]:
    """Run the baselines; return (runs, reasons of those that were skipped)."""
    others: dict[str, Run] = {}
    skipped: dict[str, str] = {}
    for name in baselines:
        if chain.inputs is None:
            skipped[name] = "spikes were drawn from rates of this coding; give inputs to compare with others"
            continue
        try:
            with told_otherwise():  # by the warnings of its run
                other = baseline(network, name)
            if _same(network, other):
                skipped[name] = "this network is that already"
                continue
            others[name] = chain.run(other, name)
        except SfnhwError as error:
            skipped[name] = str(error)
    return others, skipped


def _same(network: Network, other: Network) -> bool:
    """Whether a recoded network spikes as the network itself does: same codings, scales, biases and weights."""
    pairs: list[tuple[Any, Any]] = []
    for p, q in zip(network.populations, other.populations, strict=True):
        if p.coding != q.coding:
            return False
        pairs += [(p.scale, q.scale), (p.bias, q.bias)]
    pairs += [(p.weight, q.weight) for p, q in zip(network.projections, other.projections, strict=True)]
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def baseline(network: Network, name: str) -> Network:
    """Return the network under the coding that a baseline stands for.

    ``if``: T = N steps (arXiv 2510.23383, Theorem 1). ``mtn``: N uniform thresholds. ``polarity``: bursts of
    up to N spikes. ``ttfs``: one spike in T = N steps. ``graded8``: 8-bit activations. ``graded``:
    ⌈log2(N + 1)⌉ bits, the fair partner of N thresholds (Yan et al., arXiv 2409.08290).

    Where full scale lies is each rival's own, as `convert` would have chosen it: the network's λ, which was searched for its
    own thresholds, would make rivals spike more than they need. Graded values are clipped by least squares. A network
    without statistics of a calibration hands its thresholds on (``scaling="step"`` of `recode`).
    """
    from sfnhw.recode import WIDEST_CLIP_BITS, calibrated_scaling, recode

    spiking = [p.coding for p in network.populations if p.role == "hidden" and not isinstance(p.coding, Stream)]
    levels = max((coding.max_level for coding in spiking), default=1)
    steps = max(levels, network.timesteps)
    scaling = calibrated_scaling(network)
    if name in ("if", "ttfs"):
        return recode(network, coding=name, timesteps=steps, scaling=scaling)
    if name in ("mtn", "polarity"):
        return recode(network, coding=name, thresholds=steps, scaling=scaling)
    bits = 8 if name == "graded8" else max(1, steps.bit_length())
    return recode(network, coding="graded", bits=bits, scaling="mse" if bits <= WIDEST_CLIP_BITS else "max")


def _as_network(
    network: Any, inputs: Inputs | None, labels: Any, calibration: Any, conversion: dict[str, Any]
) -> Network:
    if isinstance(network, Network):
        return network
    if isinstance(network, str | Path):
        return Network.load(network)
    if "torch" in sys.modules and isinstance(network, sys.modules["torch"].nn.Module):
        from sfnhw.convert import convert

        if calibration is None and inputs is None:
            raise InputError("a module is converted on calibration data", field="calibration", expected="an array")
        if calibration is None:
            calibration, conversion = inputs, {"labels": labels, **conversion}
        return convert(network, calibration, **conversion)
    raise InputError(
        field="network",
        found=type(network).__name__,
        expected="a sfnhw.Network, a path to a .sfn file, or a torch.nn.Module",
    )


def _as_rates(rates: "Rates | str | Path | None", network: Network) -> "Rates | None":
    if rates is None:
        return None
    from sfnhw.rates import Rates

    if not isinstance(rates, Rates | str | Path):
        raise InputError(
            field="rates", found=type(rates).__name__, expected="a sfnhw.Rates, or the path of a rates file"
        )
    return rates if isinstance(rates, Rates) else Rates.load(rates, network)


def _as_mapping(mapping: ChipMapping | str | Path | None, network: Network, chip: Chip) -> ChipMapping | None:
    if mapping is None:
        return None
    if isinstance(mapping, str | Path):
        return ChipMapping.load(mapping, network, chip)
    if not isinstance(mapping, ChipMapping):
        expected = "a sfnhw.Mapping, or the path of a mapping file (.npz)"
        raise InputError(field="mapping", found=type(mapping).__name__, expected=expected)
    return mapping.onto(network, chip)


def _sampled(
    rates: "Rates | None", network: Network, inputs: Inputs | None, samples: int | None, seed: int
) -> Recording | None:
    """Spikes drawn from rates, as many inferences as there are inputs unless told otherwise."""
    if rates is None:
        return None
    from sfnhw.rates import sampled_recording

    if samples is None:
        samples = SAMPLES
        if inputs is not None:
            samples = len(next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs)
    return sampled_recording(rates, network, samples, seed)


def _comparison(
    chain: _Chain, main: Run, rates: "Rates | None", sampled: Recording | None, seed: int
) -> dict[str, Any] | None:
    """What the rates would have given instead of the inputs, where both are there."""
    if rates is None or sampled is None or chain.inputs is None:
        return None
    from sfnhw.rates import compare_runs

    return compare_runs(main, chain.run(main.network, "rates", sampled), rates, seed).as_json()


def _coding_name(network: Network) -> str:
    kinds = {p.coding.kind for p in network.populations if p.role == "hidden" and not isinstance(p.coding, Partial)}
    return "+".join(sorted(kinds)) or "readout"


def _warnings(recording: Recording) -> tuple[str, ...]:
    out = []
    if recording.sampled:
        out.append(
            f"activity: {recording.sampled}; neurons, timesteps and samples are independent of each other, so bursts and "
            "correlations are lost, the spread over samples is too small, and there is no accuracy"
        )
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


def _provenance(chip: Chip, run: Run, fidelity: str, command: Sequence[str] | None, seconds: float) -> dict[str, Any]:
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
        "placer": run.mapping.placer,
        "seed": run.network.metadata.get("seed"),
        "versions": versions,
        "command": list(command) if command else None,
        "wall_time_s": round(seconds, 3),
        "peak_rss_bytes": peak_rss_bytes(),
        "samples": int(np.int64(run.samples)),
    }
