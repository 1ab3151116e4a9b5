"""A control policy in a closed loop: a small network balances a pole, with the chip's integers as its hand.

The policy imitates a linear-quadratic regulator. Run from the checkout: python -m examples.control_policy
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import expm, solve_discrete_are
from torch import nn

import sfnhw
from examples._answers import on_chip, show
from examples._training import fit

# The cart-pole of Barto, Sutton and Anderson (1983): masses in kg, half the pole's length in m, force in N.
GRAVITY, CART, POLE, HALF_LENGTH, FORCE = 9.8, 1.0, 0.1, 0.5, 10.0
PERIOD_S = 0.02
LIMITS = np.array([2.4, np.deg2rad(12)])  # beyond: the cart left the track, or the pole fell
# What one unit of the policy's inputs is: position m, speed m/s, angle rad, turning rate rad/s.
UNITS = np.array([2.4, 2.0, 0.21, 2.0])

States = NDArray[np.float64]
Policy = Callable[[States], NDArray[np.float64]]


def derivative(state: States, force: NDArray[np.float64]) -> States:
    """Return d/dt of (n, 4) states x, ẋ, θ, θ̇ under (n,) forces; equations of Barto et al. without friction."""
    _, speed, angle, turning = state.T
    mass = CART + POLE
    push = (force + POLE * HALF_LENGTH * turning**2 * np.sin(angle)) / mass
    swing = HALF_LENGTH * (4 / 3 - POLE * np.cos(angle) ** 2 / mass)
    turning_rate = (GRAVITY * np.sin(angle) - push * np.cos(angle)) / swing
    acceleration = push - POLE * HALF_LENGTH * turning_rate * np.cos(angle) / mass
    return np.stack([speed, acceleration, turning, turning_rate], axis=1)


def regulator() -> Policy:
    """Return the linear-quadratic regulator of the upright pole, its force limited to what the cart's motor gives."""
    small = 1e-6
    rest, none = np.zeros((1, 4)), np.zeros(1)
    by_state = np.concatenate([derivative(rest + small * e, none) for e in np.eye(4)]).T / small
    by_force = derivative(rest, none + small).T / small
    held = expm(PERIOD_S * np.block([[by_state, by_force], [np.zeros((1, 5))]]))  # force constant over one period
    a, b = held[:4, :4], held[:4, 4:]
    cost, effort = np.diag([1.0, 0.1, 10.0, 0.1]), np.array([[0.01]])
    p = solve_discrete_are(a, b, cost, effort)
    gain = np.linalg.solve(effort + b.T @ p @ b, b.T @ p @ a)[0]
    return lambda state: np.clip(-state @ gain, -FORCE, FORCE)


def balance(policy: Policy, episodes: int, steps: int, seed: int) -> tuple[NDArray[np.int64], States]:
    """Let a policy balance many poles at once, each pushed now and then.

    Returns (episodes,) steps until the pole fell or the cart left the track, and all states seen, (n, 4).
    """
    rng = np.random.default_rng(seed)
    state = rng.uniform(-0.05, 0.05, (episodes, 4))
    alive, survived, seen = np.ones(episodes, bool), np.zeros(episodes, np.int64), []
    for _ in range(steps):
        seen.append(state[alive])
        force = policy(state) + rng.normal(0, 2.0, episodes)  # N, of gusts
        state = state + PERIOD_S * derivative(state, force)
        alive &= (np.abs(state[:, [0, 2]]) < LIMITS).all(axis=1)
        survived += alive
        state = np.where(alive[:, None], state, 0.0)
        if not alive.any():
            break
    return survived, np.concatenate(seen)


def observed(state: States) -> NDArray[np.float32]:
    """Return states in the policy's units, cut off where its input coding ends."""
    return np.clip(state / UNITS, -1, 1).astype(np.float32)


def imitate(teacher: Policy, hidden: int, epochs: int, samples: int = 8000) -> tuple[nn.Module, NDArray[np.float32]]:
    """Train a network on what the teacher does in states it meets and around them; returns it and those states."""
    rng = np.random.default_rng(0)
    met = balance(teacher, 32, 250, seed=1)[1]
    states = rng.choice(met, samples) + rng.normal(0, 0.1, (samples, 4)) * UNITS
    inputs = observed(states)
    wanted = (teacher(inputs * UNITS) / FORCE).astype(np.float32)[:, None]

    def build() -> nn.Module:
        layers = (nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        return nn.Sequential(*layers)

    policy = fit(build, inputs, {"force": wanted}, lambda y, t: nn.functional.mse_loss(y, t["force"]), epochs=epochs)
    return policy, inputs


def main(
    hidden: int = 32,
    epochs: int = 20,
    episodes: int = 32,
    seconds: float = 10.0,
    folder: str | None = "out/control_policy",
) -> dict[str, float]:
    """Train, convert, and balance; returns the mean share of the time that each policy kept the pole up.

    Energy is that of an inference; what the chip leaks while it waits for the next period is not in it.
    """
    teacher = regulator()
    module, states = imitate(teacher, hidden, epochs)
    network = sfnhw.convert(module, states[:1024], thresholds=16, name="cart-pole policy")
    chip = sfnhw.load_chip("reference").replace({"noc.columns": 2, "noc.rows": 2})

    def trained(state: States) -> NDArray[np.float64]:
        with torch.no_grad():
            return FORCE * module(torch.from_numpy(observed(state)))[:, 0].double().numpy()

    def spiking(state: States) -> NDArray[np.float64]:
        return FORCE * on_chip(network, chip, observed(state), ["force"])["force"][:, 0]

    steps = round(seconds / PERIOD_S)
    policies = {"regulator": teacher, "trained": trained, "on chip": spiking, "no force": lambda s: np.zeros(len(s))}
    kept = {name: balance(policy, episodes, steps, seed=2) for name, policy in policies.items()}
    run = sfnhw.estimate(network, chip, observed(kept["on chip"][1][:256]), baselines=("graded8",))
    lines = [
        f"{name:<11}{count.mean():.1f} of {steps} steps balanced (mean of {episodes}), "
        f"angle {np.rad2deg(np.sqrt((seen[:, 2] ** 2).mean())):.2f} deg rms"
        for name, (count, seen) in kept.items()
    ]
    latency = run.result.latency_s
    lines.append(f"period     {PERIOD_S * 1e3:g} ms, {PERIOD_S / latency:,.0f} times the latency")
    show(lines, run, folder)
    return {name: float(count.mean() / steps) for name, (count, _) in kept.items()}


if __name__ == "__main__":
    main()
