"""Neuron codings: how a value becomes spikes. A new coding is one file here and one line in `CODINGS`."""

from typing import Any

from sfnhw.errors import NetworkError, nearest
from sfnhw.neurons.base import Bank, Coding, FireTable, ThresholdNeed, registers, spacing_of, staircase
from sfnhw.neurons.events import Events
from sfnhw.neurons.graded import Graded
from sfnhw.neurons.integrate_fire import IF
from sfnhw.neurons.leaky_integrate_fire import LIF
from sfnhw.neurons.mtn import MTN
from sfnhw.neurons.polarity import Polarity
from sfnhw.neurons.readout import Readout
from sfnhw.neurons.relay import Relay
from sfnhw.neurons.sfn import SFN
from sfnhw.neurons.stream import Stream
from sfnhw.neurons.ttfs import TTFS

CODINGS: dict[str, type[Coding]] = {
    c.kind: c for c in (SFN, MTN, IF, LIF, Polarity, TTFS, Graded, Events, Stream, Relay, Readout)
}

__all__ = [
    "CODINGS",
    "IF",
    "LIF",
    "MTN",
    "SFN",
    "TTFS",
    "Bank",
    "Coding",
    "Events",
    "FireTable",
    "Graded",
    "Polarity",
    "Readout",
    "Relay",
    "Stream",
    "ThresholdNeed",
    "coding_from_config",
    "registers",
    "spacing_of",
    "staircase",
]


def coding_from_config(config: Any, field: str = "coding") -> Coding:
    """Read a coding from its JSON form (`Coding.config`).

    Raises
    ------
    NetworkError : unknown kind, unknown or missing field, or a value out of range.
    """
    if not isinstance(config, dict) or not isinstance(config.get("kind"), str):
        raise NetworkError(field=field, found=config, expected="an object with a 'kind'")
    kind = config["kind"]
    if kind not in CODINGS:
        raise NetworkError(
            field=f"{field}.kind", found=kind, expected=f"one of {', '.join(CODINGS)}{nearest(kind, list(CODINGS))}"
        )
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k != "kind"}
    try:
        return CODINGS[kind](**fields)
    except TypeError as error:
        raise NetworkError(f"cannot read a {kind!r} coding ({error})", field=field) from None
