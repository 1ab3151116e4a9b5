"""A run: one estimate with everything that went into it and came out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sfnhw.activity import Recording
from sfnhw.chip import Chip
from sfnhw.errors import InputError
from sfnhw.mapping import Mapping
from sfnhw.network import Network
from sfnhw.sim import EVENT_LIMIT, Cost, EventLog, Result, record_events


@dataclass(frozen=True, eq=False)
class Run:
    """One estimate.

    Attributes
    ----------
    network, chip : what was estimated, and on what.
    recording : activity, outputs and labels, in the chip's integers.
    mapping, result, cost : the stages of the flow.
    baselines : the same network under other codings on the same chip, by name (e.g. "if", "graded8"); a baseline that
        could not be estimated is in `skipped` with its reason.
    ann_accuracy : of the trained network on the same inputs (`sfnhw.ideal`); None without labels, or where no trained
        network is behind this one.
    warnings : sentences that a reader of the numbers must know.
    provenance : versions, seeds, fingerprints, command, times, peak memory.
    break_even : where one timestep stops paying (`sfnhw.break_even`), or None where it was not asked for.
    events : every packet and busy interval of one inference (`with_events`), or None.
    sensitivity : accuracy under wrong calibration and drifting inputs (`sfnhw.sensitivity`), or None.
    rates_comparison : what spikes drawn from rates would have given (`sfnhw.rates.RatesComparison` as plain values), or
        None.
    """

    network: Network
    chip: Chip
    recording: Recording
    mapping: Mapping
    result: Result
    cost: Cost
    baselines: dict[str, "Run"] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    rates_comparison: dict[str, Any] | None = None
    ann_accuracy: float | None = None
    break_even: dict[str, Any] | None = None
    sensitivity: dict[str, Any] | None = None
    events: EventLog | None = None

    @property
    def ann_accuracy_on_calibration(self) -> float | None:
        """Accuracy of the trained network on the calibration set, as its conversion recorded it; other inputs!"""
        value = self.network.metadata.get("ann_accuracy")
        return float(value) if isinstance(value, int | float) else None

    @property
    def samples(self) -> int:
        """Inferences."""
        return self.result.samples

    def with_events(self, *, sample: int = 0, limit: int = EVENT_LIMIT, layers: Sequence[str] | None = None) -> "Run":
        """Return it with an event log of one inference, which `save` writes as events.parquet.

        sample, limit, layers : see `sfnhw.sim.record_events`.

        Raises
        ------
        InputError : the run is not of fidelity ``packet``, so that its times would not be those of the log.
        SimulationError : no such sample or layer, or a limit below 1.
        """
        if self.result.fidelity != "packet":
            text = "only fidelity packet logs events"
            raise InputError(text, field="fidelity", found=self.result.fidelity, expected="packet")
        log = record_events(self.mapping, self.recording.activity, sample=sample, limit=limit, layers=layers)
        return replace(self, events=log)

    def summary(self) -> str:
        """Return the answer in at most 80 columns."""
        from sfnhw.reports.summary import summary

        return summary(self)

    def save(self, folder: str | Path) -> Path:
        """Write the run folder: run.json, tables, figures, report.html; returns its path."""
        from sfnhw.reports.run_folder import save_run

        return save_run(self, Path(folder))

    def as_json(self) -> dict[str, Any]:
        """Return the content of run.json."""
        from sfnhw.reports.run_json import run_json

        return run_json(self)

    def _repr_html_(self) -> str:
        """Return a short table for notebooks."""
        from sfnhw.reports.summary import summary_html

        return summary_html(self)
