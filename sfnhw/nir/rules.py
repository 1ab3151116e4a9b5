"""From NIR's differential equations to one timestep, as the library that wrote the file takes it.

NIR gives τ v̇ = (v_leak − v) + r·i and leaves the reset, its time and dt to the simulator. snnTorch and SpikingJelly
both take forward Euler, so with a timestep dt

    β = 1 − dt/τ,    gain = r·dt/τ  (IF: β = 1, gain = r·dt),    v ← βv + (1 − β)·v_leak + gain·i

snnTorch writes τ = dt/(1 − β), r = τ/dt with dt = 1e-4 (`snntorch.export_nir`, version 1.0), so its gain is 1.
SpikingJelly writes τ = τ_steps·dt, r = 1 (`decay_input`) or τ_steps, and for IF r = 1/dt
(`spikingjelly.activation_based.nir_exchange.to_nir`, version 0.0.0.1.0), so its gain is 1/τ_steps or 1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.neurons import IF, LIF, Coding
from sfnhw.nir.layers import real
from sfnhw.nir.sums import RefusedError

Reals = NDArray[np.float64]

EXPORTERS = ("snntorch", "spikingjelly")
NEURONS = ("IF", "LIF")


@dataclass(frozen=True)
class Rule:
    """What NIR leaves open.

    Attributes
    ----------
    reset : "subtract", "zero" or "none".
    delayed : the reset comes one step late and undecayed (snnTorch).
    strict : spike where v > θ rather than v ≥ θ.
    """

    reset: str
    delayed: bool
    strict: bool


def rule_of(exporter: str, reset: str) -> Rule:
    """snnTorch: v > θ, reset one step late (`Leaky`, `reset_delay=True`). SpikingJelly: v ≥ θ, reset at once."""
    late = exporter == "snntorch"
    return Rule(reset, late, late)


def recognise(nodes: dict[str, Any]) -> tuple[str, str]:
    """Return which library wrote these neurons, and what tells so.

    SpikingJelly fills double-precision arrays of the layer's whole shape (`np.full`); snnTorch passes its single-
    precision tensors or scalars on, writes no IF, and alone nests a recurrent layer as a graph of a `lif` and a `w_rec`.
    """
    neurons = {name: node for name, node in nodes.items() if type(node).__name__ in NEURONS}
    if any(name.endswith(".w_rec") for name in nodes):
        return "snntorch", "a recurrent subgraph with a node w_rec"
    for name, node in neurons.items():
        if type(node).__name__ == "IF":
            return "spikingjelly", f"the IF node {name!r}, which snnTorch never writes"
    for name, node in neurons.items():
        threshold = np.asarray(node.v_threshold)
        if threshold.dtype == np.float32 or threshold.ndim == 0:
            what = "single-precision" if threshold.dtype == np.float32 else "scalar"
            return "snntorch", f"the {what} v_threshold of {name!r}"
    return "spikingjelly", "double-precision thresholds of whole shape"


@dataclass(frozen=True, eq=False)
class Discrete:
    """One neuron layer in timesteps: its coding, scale (channels,) and what is added each step (channels,)."""

    coding: Coding
    scale: Reals
    bias: Reals


def discretise(node: Any, grid: tuple[int, ...], dt: float, steps: int, rule: Rule) -> Discrete:
    """Return a NIR IF or LIF node as `IF` or `LIF`, with v measured from v_reset in units of the gain.

    Raises
    ------
    RefusedError : parameters that differ within a channel, a dt above τ, thresholds that are not above v_reset.
    """
    own = {k: _by_channel(getattr(node, k), k, grid) for k in ("r", "v_threshold", "v_reset")}
    precision = np.asarray(node.v_threshold).dtype
    if type(node).__name__ == "IF":
        beta, gain, leak = np.ones(grid[0]), _snap(own["r"] * dt, precision), np.zeros(grid[0])
    else:
        beta, gain = _euler(_by_channel(node.tau, "tau", grid), own["r"], dt, np.asarray(node.tau).dtype)
        leak = _by_channel(node.v_leak, "v_leak", grid)
    if (gain <= 0).any() or not np.isfinite(gain).all():
        raise RefusedError(f"r·dt/τ is {gain.min():g}, and currents must be scaled by a number above 0")
    if rule.reset != "zero" and own["v_reset"].any():
        raise RefusedError(
            f"v_reset is {own['v_reset'][own['v_reset'] != 0][0]:g}, which reset {rule.reset!r} does not use",
            "reset zero, which sets the membrane to v_reset",
        )
    with np.errstate(over="ignore"):
        theta = (own["v_threshold"] - own["v_reset"]) / gain
    if (theta <= 0).any():
        raise RefusedError(f"its threshold lies {theta.min():g} above its reset potential; it must lie above it")
    with np.errstate(over="ignore", invalid="ignore"):
        bias = (1 - beta) * (leak - own["v_reset"]) / gain
    if not np.isfinite(theta).all() or not np.isfinite(bias).all():
        raise RefusedError("its threshold, or what v_leak adds in a timestep, is not finite", "finite numbers")
    if type(node).__name__ == "IF" and not rule.delayed and not rule.strict and rule.reset in ("subtract", "zero"):
        return Discrete(IF(steps, reset=rule.reset), theta, bias)
    shared = bool((theta == theta[0]).all())
    betas = float(beta[0]) if (beta == beta[0]).all() else tuple(float(b) for b in beta)
    coding = LIF(steps, betas, float(theta[0]) if shared else 1.0, rule.reset, rule.delayed, rule.strict)
    return Discrete(coding, np.ones(grid[0]) if shared else theta, bias)


def threshold_only(node: Any, grid: tuple[int, ...], steps: int) -> Discrete:
    """NIR's Threshold: 1 where the input of this step is above θ; a membrane that keeps nothing."""
    theta = _by_channel(node.threshold, "threshold", grid)
    if (theta <= 0).any() or not np.isfinite(theta).all():
        raise RefusedError(f"its threshold is {theta.min():g}; it must be finite and above 0, or silence would fire")
    shared = bool((theta == theta[0]).all())
    coding = LIF(steps, 0.0, float(theta[0]) if shared else 1.0, "none", strict=True)
    return Discrete(coding, np.ones(grid[0]) if shared else theta, np.zeros(grid[0]))


def _euler(tau: Reals, r: Reals, dt: float, precision: Any) -> tuple[Reals, Reals]:
    """β and gain. snnTorch writes β = 1 as τ and r both infinite."""
    if (tau <= 0).any() or np.isnan(tau).any() or np.isnan(r).any():
        raise RefusedError(f"tau is {tau.min():g} s; it must be above 0")
    rate = dt / tau
    if (rate > 1 + 1e-6).any():
        raise RefusedError(f"tau is {tau.min():g} s, shorter than dt = {dt:g} s", "a smaller dt")
    beta = np.clip(1 - rate, 0.0, 1.0)
    if precision == np.float32:
        beta = _single(beta, tau, dt)
    endless = np.isinf(tau) & np.isinf(r)
    with np.errstate(invalid="ignore"):
        gain = np.where(endless, 1.0, r * rate)
    return beta, _snap(gain, precision)


def _single(beta: Reals, tau: Reals, dt: float) -> Reals:
    """β was a single-precision number: the one next to `beta` whose dt/(1 − β) is τ, as snnTorch divided, or the nearest.

    1 − β is exact for β ≥ ½, and then the number is the very β.
    """
    nearest = beta.astype(np.float32)
    found = nearest.copy()
    with np.errstate(divide="ignore"):
        for other in (np.nextafter(nearest, np.float32(0)), np.nextafter(nearest, np.float32(1)), nearest):
            same = np.float32(dt) / (np.float32(1) - other) == tau.astype(np.float32)
            found = np.where(same, other, found)
    return found.astype(float)


def _snap(gain: Reals, precision: Any) -> Reals:
    """1 where the file's precision cannot tell it from 1."""
    near = 8 * np.finfo(precision if np.dtype(precision).kind == "f" else np.float64).eps
    return np.where(np.abs(gain - 1) <= near, 1.0, gain)


def _by_channel(values: Any, name: str, grid: tuple[int, ...]) -> Reals:
    """(channels,) of a scalar or of an array over all neurons that is one number in each channel."""
    array = real(values, name)
    if np.isnan(array).any():
        raise RefusedError(f"{name} holds NaN")
    if array.size == 1:
        return np.full(grid[0], float(array.reshape(-1)[0]))
    if array.size != int(np.prod(grid)):
        raise RefusedError(f"{name} has shape {array.shape}, its input has shape {grid}")
    flat = array.reshape(grid[0], -1)
    if (flat != flat[:, :1]).any():
        raise RefusedError(
            f"{name} differs from position to position within a channel",
            "one value for each channel, which a chip's registers hold",
        )
    return flat[:, 0].copy()
