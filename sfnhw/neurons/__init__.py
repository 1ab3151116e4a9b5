"""Neuron codings: how a value becomes spikes. A new coding is one file here and one line in `CODINGS`."""

from dataclasses import fields
from typing import Any

from sfnhw.errors import NetworkError, nearest
from sfnhw.neurons.base import Bank, Coding, FireTable, ThresholdNeed, registers, spacing_of, staircase
from sfnhw.neurons.events import Events
from sfnhw.neurons.graded import Graded
from sfnhw.neurons.integrate_fire import IF
from sfnhw.neurons.leaky_integrate_fire import LIF
from sfnhw.neurons.mtn import MTN
from sfnhw.neurons.partial import Partial
from sfnhw.neurons.polarity import Polarity
from sfnhw.neurons.readout import Readout
from sfnhw.neurons.relay import Relay
from sfnhw.neurons.sfn import SFN
from sfnhw.neurons.stream import Stream
from sfnhw.neurons.ttfs import TTFS

CODINGS: dict[str, type[Coding]] = {
    c.kind: c for c in (SFN, MTN, IF, LIF, Polarity, TTFS, Graded, Events, Stream, Relay, Readout, Partial)
}
# Levels or timesteps that a file may ask for; a million is beyond every table.
MOST = 2**20

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
    "Partial",
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
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k != "kind"}
    _check_types(CODINGS[kind], values, field)
    try:
        return CODINGS[kind](**values)
    except TypeError as error:
        raise NetworkError(f"cannot read a {kind!r} coding ({error})", field=field) from None


def _check_types(cls: type[Coding], given: dict[str, Any], where: str) -> None:
    """Raise NetworkError where a plain field holds another kind of value: JSON's true is no number, 2 no truth."""
    words = {bool: "true or false", int: f"a whole number up to {MOST:,}", float: "a number", str: "a text"}
    for f in fields(cls):  # type: ignore[arg-type]
        if f.name not in given or f.type not in words:
            continue
        value = given[f.name]
        ok = isinstance(value, f.type) or (f.type is float and isinstance(value, int))
        if isinstance(value, bool) != (f.type is bool) or not ok or (isinstance(value, int) and abs(value) > MOST):
            raise NetworkError(field=f"{where}.{f.name}", found=value, expected=words[f.type])
    if type(given.get("thresholds")) is int and given["thresholds"] > MOST:  # of mtn: a number, or a tuple
        raise NetworkError(field=f"{where}.thresholds", found=given["thresholds"], expected=words[int])
