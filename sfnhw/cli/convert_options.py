"""Options of `sfnhw convert` for torch modules: one for each of `sfnhw.convert`, which says their types and defaults."""

from contextlib import suppress
from types import NoneType
from typing import Any, get_args, get_type_hints

import click

from sfnhw.errors import ConversionError

# Where the flag is not the option's own name.
FLAGS = {"lam": "--lambda"}
# Option of `sfnhw.convert` -> what the help page says beside its values, in the page's order.
HELP = {
    "coding": "Neuron coding (see `sfnhw codings`).",
    "thresholds": "N; with --spacing free a list, e.g. 0.1,0.4,1.",
    "timesteps": "T; a NIR network takes its inputs' T.",
    "bits": "Of a value.",
    "spacing": "Of the thresholds.",
    "rounding": "Where thresholds lie: on the levels or midway; floor by default, nearest for mtn.",
    "decode": "What a level stands for.",
    "theta": "How θ is chosen: quantile by default, max for graded.",
    "theta_sharing": "One θ for each channel, or one for all.",
    "quantile": "Of the magnitudes that θ is; 1 is the maximum.",
    "lam": "λ; searched for sfn if not given, else 1.",
    "lambda_range": "Where λ is searched; θ/4 to 4θ at full scale by default.",
    "lambda_budget": "Evaluations of the search; 20, or 8 for large networks.",
    "spike_weight": "What a spike per neuron costs the search.",
    "search_samples": "Calibration samples that the search uses.",
    "initial_potential": "v(0) in units of the threshold or level; 0.5 by default.",
    "threshold_scale": "α: a number, or mse to fit it; 1 by default.",
    "beta": "Decay of the membrane in one timestep.",
    "reset": "What a spike does to the membrane; NIR too, which also has none.",
    "input_bits": "Of a graded input; NIR too.",
    "stream_bits": "Of a transformer's residual stream.",
    "seed": "Of the sampling of activations.",
}


def flag(name: str) -> str:
    """Return the flag of an option: ``--lambda`` of ``lam``."""
    return FLAGS.get(name, "--" + name.replace("_", "-"))


class Value(click.ParamType):
    """Text as the first that fits of an integer, a number, numbers with commas, and a word."""

    name = "value"

    def __init__(self, kinds: frozenset[Any]) -> None:
        self.kinds = kinds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value.

        Raises
        ------
        ConversionError : none of them.
        """
        if not isinstance(value, str):
            return value
        if int in self.kinds and value.strip().removeprefix("-").isdecimal():
            return int(value)
        with suppress(ValueError):  # no number: a word where the option takes one, else the error below
            if float in self.kinds:
                return float(value)
            if tuple in self.kinds and "," in value:
                return tuple(float(part) for part in value.split(","))
        if str in self.kinds:
            return value
        raise ConversionError(field=param.opts[0] if param else None, found=value, expected=self._expected())

    def _expected(self) -> str:
        if tuple in self.kinds:
            return "a number, or numbers with commas" if int in self.kinds else "numbers with commas"
        return "an integer" if int in self.kinds else "a number"


class ConvertCommand(click.Command):
    """Takes its options for modules from `sfnhw.convert`, which is imported when this command is asked for, not before."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return all parameters, those of a module after the source's own."""
        if not any(p.name == "coding" for p in self.params):
            self.params += module_options()
        return super().get_params(ctx)


def module_options() -> list[click.Parameter]:
    """Return one option for each of `sfnhw.convert`, in the order of `HELP`."""
    from sfnhw.convert.options import Options

    hints = get_type_hints(Options)
    return [_option(name, _kinds(hints[name]), getattr(Options, name)) for name in HELP]


def _kinds(hint: Any) -> frozenset[Any]:
    parts = get_args(hint) if get_args(hint) and not isinstance(hint, type) else (hint,)
    return frozenset(getattr(part, "__origin__", part) for part in parts if part is not NoneType)


def _option(name: str, kinds: frozenset[Any], default: Any) -> click.Option:
    from sfnhw.convert.options import APPLIES, CHOICES

    text, applies = HELP[name], APPLIES.get(name)
    if applies and set(applies.codings) != set(CHOICES["coding"]):
        text += f" For {', '.join(applies.codings)}."
    return click.Option(
        [flag(name), name],
        type=Value(kinds),
        default=default,
        show_default=default is not None,
        metavar="|".join(CHOICES[name]) if name in CHOICES else _metavar(name, kinds),
        help=text,
    )


def _metavar(name: str, kinds: frozenset[Any]) -> str:
    special = {"thresholds": "N", "timesteps": "T", "lambda_range": "LOW,HIGH", "threshold_scale": "NUMBER|mse"}
    return special.get(name, "INTEGER" if int in kinds else "NUMBER")
