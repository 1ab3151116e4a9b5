"""How sure an energy is: prices drawn from their own bands, and which of them matter (tornado).

An energy is linear in the prices: E = Σ amount × price, over the rows of the chip's table. Three bands come of that.
The *envelope* (`low`, `high` of every energy) has all rows at their low, or at their high: every constant wrong the same
way. *Independent* rows err each on its own, and their errors partly cancel. Rows of one *family* share a cause (CACTI,
the synthesis flow, the choice of cell flavour) and are drawn together, the families independently. Most rows also carry
the same technology factor, so the truth lies between the family band and the envelope.

What a row is drawn from: a distribution on [low, high] whose median is the row's value, half of it log-uniform on
[low, value], half on [value, high] (uniform where an end is 0, of which there is no logarithm). A chip file gives three
numbers a row and nothing about the shape between them; prices are known to factors, not to differences, hence the
logarithm. It is an assumption about ignorance, not a measured spread of chips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.run import Run
from sfnhw.sim import Cost
from sfnhw.sim.cost import TERMS

Reals = NDArray[np.float64]

DRAWS, SEED = 10_000, 0
PERCENTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
LAYERS_AT_ONCE = 256

# Rows whose errors have one cause. Every term is in one family.
FAMILIES: dict[str, tuple[str, ...]] = {
    "memories": ("axon_lookup", "weight_read", "weight_write", "state_read", "state_write"),
    "core logic": (
        "decode_read", "accumulate", "multiply_bit", "shift_bit", "neuron_update", "threshold_read", "compare", "encode",
        "requantise", "gelu", "softmax", "layer_norm", "leak", "spike",
    ),
    "network": ("packet", "packing_flit", "injection", "barrier", "router_flit", "link_flit"),
    "pins": ("io_bit", "off_chip_bit"),
    "leakage": ("core_leakage", "gate_leakage", "router_leakage"),
    "clock": ("core_clock", "router_clock"),
}  # fmt: skip

METHOD = (
    "Monte Carlo over the price table; each row drawn from [low, high] with its value as median, half log-uniform below "
    "and half above (uniform from 0); energies are linear in prices, and one draw prices this network and its baselines"
)


@dataclass(frozen=True, eq=False)
class Bands:
    """Energies of rows at their value, low and high; any shape, one for all three, low ≤ value ≤ high. [J]"""

    value: Reals
    low: Reals
    high: Reals

    def at(self, u: Reals) -> Reals:
        """Return the quantile at u ∈ [0, 1], broadcast against the bands; 0.5 is the value, 0 the low, 1 the high."""
        lower = u < 0.5
        start, end = np.where(lower, self.low, self.value), np.where(lower, self.value, self.high)
        return _between(start, end, np.where(lower, 2 * u, 2 * u - 1))

    def mean(self) -> Reals:
        """Expectation: of a log-uniform half on [a, b] it is (b − a) / ln(b / a), of a uniform one (a + b) / 2."""
        return (_first(self.low, self.value) + _first(self.value, self.high)) / 2

    def variance(self) -> Reals:
        """Second moment less the mean squared; of a log-uniform half the former is (b² − a²) / (2 ln(b / a))."""
        second = (_second(self.low, self.value) + _second(self.value, self.high)) / 2
        # A row without a band has none, whatever the difference of two equal numbers rounds to.
        return np.where(self.high > self.low, np.maximum(second - self.mean() ** 2, 0.0), 0.0)


def _between(a: Reals, b: Reals, share: Reals) -> Reals:
    """From a at share 0 to b at share 1: geometrically, or linearly where a is 0."""
    share = np.clip(share, 0.0, 1.0)
    safe = np.where(a > 0, a, 1.0)
    # Both ends exactly: rounding must not leave the band.
    return np.clip(np.where(a > 0, safe * (b / safe) ** share, b * share), a, b)


def _log_ratio(a: Reals, b: Reals) -> tuple[Reals, NDArray[np.bool_]]:
    """(ln(b / a), whether it can be divided by)."""
    safe = np.where(a > 0, a, 1.0)
    log = np.log1p((b - a) / safe)
    usable = (a > 0) & (b > a)
    return np.where(usable, log, 1.0), usable


def _first(a: Reals, b: Reals) -> Reals:
    log, usable = _log_ratio(a, b)
    return np.where(usable, (b - a) / log, (a + b) / 2)


def _second(a: Reals, b: Reals) -> Reals:
    log, usable = _log_ratio(a, b)
    return np.where(usable, (b - a) * (b + a) / (2 * log), (a * a + a * b + b * b) / 3)


def term_bands(cost: Cost, samples: int) -> Bands:
    """Return the energy of each of `TERMS` per inference: (terms,)."""
    energies = cost.by_action()
    rows = [energies[term].as_joules(samples) for term in TERMS]
    return Bands(*(np.array([row[key] for row in rows]) for key in ("value", "low", "high")))


def uniforms(draws: int, seed: int, *, by_family: bool = False) -> Reals:
    """(draws, terms) numbers in [0, 1): independent, or one for all rows of a family."""
    generator = np.random.Generator(np.random.PCG64(seed))
    if not by_family:
        # Row by row for the first of them, so that a term that comes last leaves the draws of the others as they are.
        usual = generator.random((draws, len(TERMS) - 1))
        return np.concatenate([usual, generator.random((draws, 1))], axis=1)
    families = list(FAMILIES)
    of_term = {term: i for i, family in enumerate(families) for term in FAMILIES[family]}
    return generator.random((draws, len(families)))[:, [of_term[term] for term in TERMS]]


def uncertainty(run: Run, draws: int = DRAWS, seed: int = SEED) -> dict[str, Any]:
    """Return the uncertainty of a run's energies that comes from the price table, as JSON values.

    Keys
    ----
    method, draws, seed.
    energy_per_inference_j : ``{mean, p05, p50, p95}`` with every row drawn on its own; mean and standard_deviation_j
        are exact, the percentiles are of the draws.
    by_family : families (name → rows), and the same percentiles with the rows of a family drawn together.
    tornado : see `tornado`.
    by_action_j, by_layer_j : ``{p05, p50, p95}`` of each action and layer (exact for actions, which are one row each).
    comparison : for each baseline `energy_ratio` (baseline / this, ``{mean, p05, p50, p95}``), the same
        `energy_ratio_by_family`, and `probability_this_is_cheaper` (ties count half), with and without families.
    """
    this = term_bands(run.cost, run.samples)
    u, together = uniforms(draws, seed), uniforms(draws, seed, by_family=True)
    rows, family_rows = this.at(u), this.at(together)
    energy, family_energy = rows.sum(axis=1), family_rows.sum(axis=1)
    known = {row["action"]: row["source"] for row in run.chip.price_rows("energy")}
    known |= {row["term"].rpartition("_")[0]: row["source"] for row in run.chip.price_rows("static")}
    return {
        "method": METHOD,
        "draws": draws,
        "seed": seed,
        "energy_per_inference_j": {"mean": float(this.mean().sum()), **_percentiles(energy)},
        "standard_deviation_j": float(np.sqrt(this.variance().sum())),
        "by_family": {
            "families": {name: list(terms) for name, terms in FAMILIES.items()},
            "energy_per_inference_j": {"mean": float(this.mean().sum()), **_percentiles(family_energy)},
        },
        "tornado": tornado(this, TERMS, known),
        "by_action_j": {
            term: {name: float(this.at(np.array(p))[i]) for name, p in PERCENTILES.items()}
            for i, term in enumerate(TERMS)
            if this.high[i] > 0
        },
        "by_layer_j": _by_layer(run, this, rows),
        "comparison": [
            _beside(name, other, energy, family_energy, u, together) for name, other in run.baselines.items()
        ],
    }


def tornado(bands: Bands, terms: Sequence[str], sources: dict[str, str]) -> list[dict[str, Any]]:
    """Return for each price row what the total is with this row at its low and high and all others at their value.

    Largest swing first; rows that cost nothing at their high are left out. Keys: term, family, value_j (this row's
    energy), low_j, high_j (of the total), swing_j, share_of_variance (of the independent draws; exact), source.
    """
    total = float(bands.value.sum())
    variance = bands.variance()
    whole = float(variance.sum())
    family = {term: name for name, members in FAMILIES.items() for term in members}
    rows = [
        {
            "term": term,
            "family": family[term],
            "value_j": float(bands.value[i]),
            "low_j": total - float(bands.value[i] - bands.low[i]),
            "high_j": total + float(bands.high[i] - bands.value[i]),
            "swing_j": float(bands.high[i] - bands.low[i]),
            "share_of_variance": float(variance[i]) / whole if whole else 0.0,
            "source": sources.get(term, ""),
        }
        for i, term in enumerate(terms)
        if bands.high[i] > 0
    ]
    return sorted(rows, key=lambda row: -float(str(row["swing_j"])))


def ratio_of_draws(this: Reals, other: Reals) -> dict[str, float]:
    """Return ``{mean, p05, p50, p95}`` of other / this, draw by draw; zeros where this costs nothing in a draw."""
    ratio = np.divide(other, this, out=np.zeros_like(other), where=this > 0)
    return {"mean": float(ratio.mean()), **_percentiles(ratio)}


def probability_cheaper(this: Reals, other: Reals) -> float:
    """Share of draws in which this costs less than the other; a tie counts half."""
    return float((this < other).mean() + 0.5 * (this == other).mean())


def _beside(name: str, other: Run, energy: Reals, family_energy: Reals, u: Reals, together: Reals) -> dict[str, Any]:
    """One draw prices both networks: what the table has wrong, it has wrong for both."""
    theirs = term_bands(other.cost, other.samples)
    drawn, family_drawn = theirs.at(u).sum(axis=1), theirs.at(together).sum(axis=1)
    return {
        "name": name,
        "energy_ratio": ratio_of_draws(energy, drawn),
        "energy_ratio_by_family": ratio_of_draws(family_energy, family_drawn),
        "probability_this_is_cheaper": probability_cheaper(energy, drawn),
        "probability_this_is_cheaper_by_family": probability_cheaper(family_energy, family_drawn),
    }


def _percentiles(values: Reals) -> dict[str, float]:
    found = np.quantile(values, list(PERCENTILES.values()))
    return {name: float(value) for name, value in zip(PERCENTILES, found, strict=True)}


def _by_layer(run: Run, this: Bands, rows: Reals) -> dict[str, dict[str, float]]:
    """A layer has its share of each row's amount, so its draws are the rows' draws times those shares."""
    names, high = run.cost.layer_term_high_aj()
    share = high * 1e-18 / run.samples / np.where(this.high > 0, this.high, 1.0)
    out: dict[str, dict[str, float]] = {}
    for first in range(0, len(names), LAYERS_AT_ONCE):
        some = slice(first, first + LAYERS_AT_ONCE)
        found = np.quantile(rows @ share[some].T, list(PERCENTILES.values()), axis=0)
        for i, name in enumerate(names[some]):
            out[name] = dict(zip(PERCENTILES, map(float, found[:, i]), strict=True))
    return out
