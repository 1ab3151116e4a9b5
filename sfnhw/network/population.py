"""A population: an array of neurons of one shape."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import InputError, NetworkError, nearest
from sfnhw.network.arrays import read_only
from sfnhw.network.block import Block
from sfnhw.network.functions import FUNCTIONS
from sfnhw.neurons import Coding, Events, Graded, Readout

# What stands for the chip itself wherever costs are listed by population; no population may be called so.
CHIP_NAME = "(chip)"


@dataclass(frozen=True, eq=False)
class Population:
    """Integrate → function → neuron coding.

    Attributes
    ----------
    name : unique in the network; usually the layer's own name in the trained module.
    shape : (features,) or (channels, height, width), without the sample axis.
    coding : how a value becomes spikes.
    scale : (channels,) real value of one unit of the coding (λθ for SFN, θ for IF, the step for graded).
    role : where the values come from and go to.
    function : applied before the coding. `relu` is what an unsigned coding does by itself; `max` keeps the largest
        level of a pooling window and sends it on as it is; `gelu`, `gelu_tanh`, `softmax` (over each row of each
        channel) and `layer_norm` (over the channels of each position) need a function unit, see
        `sfnhw.network.functions`.
    epsilon : of `layer_norm`.
    bias : (channels,), or for each neuron by itself of the population's shape (a position embedding): real value added
        once each timestep; or None.
    statistics : calibration record of the real-valued activations, each (channels,) or (channels, kept) magnitudes: `max`,
        `quantile`, `magnitudes`, ...; what `recode` needs to choose another coding's scale.
    """

    name: str
    shape: tuple[int, ...]
    coding: Coding
    scale: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    role: Literal["input", "hidden", "output"] = "hidden"
    function: str = "identity"
    bias: NDArray[np.float64] | None = None
    statistics: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        where = f"population {self.name!r}"
        if not isinstance(self.name, str) or not self.name:
            raise NetworkError(field="population.name", found=self.name, expected="a name")
        if self.name == CHIP_NAME:
            raise NetworkError(
                "this name stands for what the chip's layers share",
                field="population.name",
                found=self.name,
                expected="another name",
            )
        shape = tuple(int(n) for n in self.shape)
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise NetworkError(
                field=f"{where}.shape", found=self.shape, expected="(features,) or (channels, height, width)"
            )
        object.__setattr__(self, "shape", shape)
        scale = np.asarray(self.scale, float)
        if scale.shape == (1,) or scale.shape == ():
            scale = np.full(self.channels, float(scale.reshape(-1)[0]))
        if scale.shape != (self.channels,) or not np.isfinite(scale).all() or (scale <= 0).any():
            raise NetworkError(
                "a bad scale", field=f"{where}.scale", found=scale, expected=f"{self.channels} positive finite numbers"
            )
        object.__setattr__(self, "scale", read_only(scale))
        if self.bias is not None:
            bias = np.asarray(self.bias, float)
            if bias.shape not in ((self.channels,), shape):
                raise NetworkError(
                    field=f"{where}.bias", found=bias.shape, expected=f"shape ({self.channels},) or {shape}"
                )
            if not np.isfinite(bias).all():
                raise NetworkError("NaN or infinite", field=f"{where}.bias", expected="finite numbers")
            object.__setattr__(self, "bias", read_only(bias))
        self._check_statistics(where)
        object.__setattr__(self, "statistics", {key: read_only(values) for key, values in self.statistics.items()})
        self._check_role(where)
        try:
            self.coding.check_channels(self.channels)
        except InputError as error:
            raise NetworkError(str(error), field=f"{where}.coding") from None

    def _check_statistics(self, where: str) -> None:
        for key, values in self.statistics.items():
            array = np.asarray(values)
            real = array.dtype.kind in "fiu"
            if not real or array.ndim not in (1, 2) or len(array) != self.channels or not array.size:
                raise NetworkError(
                    field=f"{where}.statistics[{key!r}]",
                    found=f"{array.dtype} of shape {array.shape}",
                    expected=f"real numbers of shape ({self.channels},) or ({self.channels}, kept)",
                )
            if not np.isfinite(array).all() or (array < 0).any():
                raise NetworkError(field=f"{where}.statistics[{key!r}]", expected="finite magnitudes, none below 0")

    def _check_role(self, where: str) -> None:
        if self.role not in ("input", "hidden", "output"):
            raise NetworkError(field=f"{where}.role", found=self.role, expected="'input', 'hidden' or 'output'")
        known = ["identity", "relu", "max", *FUNCTIONS]
        if self.function not in known:
            hint = nearest(str(self.function), known)
            raise NetworkError(
                field=f"{where}.function", found=self.function, expected=f"one of {', '.join(known)}{hint}"
            )
        if not isinstance(self.epsilon, int | float) or not np.isfinite(self.epsilon) or self.epsilon < 0:
            raise NetworkError(field=f"{where}.epsilon", found=self.epsilon, expected="a finite number ≥ 0")
        if self.needs_function_unit and self.role != "hidden":
            raise NetworkError(f"{self.function} is for hidden populations", field=f"{where}.role", found=self.role)
        if self.function in ("relu", "max") and self.coding.signed:
            raise NetworkError(f"{self.function} needs an unsigned coding", field=f"{where}.coding", found=self.coding)
        if (self.role == "output") != isinstance(self.coding, Readout):
            raise NetworkError(
                "an output population is a readout, and only an output is",
                field=f"{where}.coding",
                found=self.coding.kind,
            )
        if self.role == "input" and not isinstance(self.coding, Graded | Events):
            raise NetworkError(
                field=f"{where}.coding", found=self.coding.kind, expected="'graded' or 'events' for an input"
            )
        if self.role != "input" and isinstance(self.coding, Events):
            raise NetworkError("only an input is coded as events", field=f"{where}.coding")

    @property
    def needs_function_unit(self) -> bool:
        """Whether its function is more than what accumulators and thresholds do by themselves."""
        return self.function in FUNCTIONS

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    @property
    def channels(self) -> int:
        """Features or channels."""
        return self.shape[0]

    @property
    def rows(self) -> int:
        """Height (1 for features)."""
        return self.shape[1] if len(self.shape) == 3 else 1

    @property
    def columns(self) -> int:
        """Width (1 for features)."""
        return self.shape[2] if len(self.shape) == 3 else 1

    @property
    def positions(self) -> int:
        """Neurons for each channel."""
        return self.rows * self.columns

    @property
    def block(self) -> Block:
        """The whole population as one block."""
        return Block(0, self.channels, 0, self.rows)

    def block_size(self, block: Block) -> int:
        """Neurons in a block."""
        return block.channels * block.rows * self.columns

    def indices(self, block: Block) -> NDArray[np.int64]:
        """(block size,) global neuron indices of a block, channel-major."""
        # Made from the block alone: a slice of a grid over the whole population would keep that grid alive.
        channels = np.arange(block.c0, block.c1) * self.positions
        positions = np.arange(block.r0 * self.columns, block.r1 * self.columns)
        return np.add.outer(channels, positions).ravel()

    def config(self) -> dict[str, Any]:
        """Return the JSON form, without the tensors."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "coding": self.coding.config(),
            "role": self.role,
            "function": self.function,
            "bias": self.bias is not None,
        } | ({"epsilon": self.epsilon} if self.epsilon else {})
