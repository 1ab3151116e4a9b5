"""What `if` and `lif` have in common: unit spikes of a membrane over T timesteps."""

import numpy as np

from sfnhw.errors import InputError
from sfnhw.neurons.base import Coding, Integers, Reals, check_steps
from sfnhw.numerics import Numerics


class UnitSpikes(Coding):
    """Base of codings that send 0 or 1 (or −1, where signed) at each of `steps` timesteps; one spike is worth one unit."""

    steps: int

    def __post_init__(self) -> None:
        check_steps(self.kind, self.steps)

    @property
    def timesteps(self) -> int:
        """T."""
        return self.steps

    @property
    def max_level(self) -> int:
        """A unit spike."""
        return 1

    def payload_bits(self, numerics: Numerics) -> int:
        """Nothing beside the address but the sign, where there is one."""
        return int(self.signed)

    def values(self) -> Reals:
        """One spike in one timestep is worth one unit."""
        return np.ones(1)

    def encode(self, h: Reals) -> Integers:
        """(T, ...) normalised input of each step → (T, ...) spikes 0 or 1 (or −1).

        Where something differs from channel to channel the last two axes are channels and positions.
        """
        h = np.asarray(h, float)
        if h.shape[0] != self.steps:
            raise InputError(field="h", found=h.shape, expected=f"first axis of {self.steps} timesteps")
        v = np.full(h.shape[1:], self.start_potential)
        out = np.zeros(h.shape, np.int64)
        for t, x in enumerate(h):
            v = np.asarray(v + x)
            out[t] = self.fire_real(v)
        return out
