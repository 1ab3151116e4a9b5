"""What calibration keeps of each population's real-valued activations: a bounded sample for each channel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.errors import ConversionError

if TYPE_CHECKING:
    from sfnhw.convert.evaluate import Evaluator

# Values kept of each population (float32: 32 MiB at most), and at least this many of each channel.
KEPT_VALUES, KEPT_PER_CHANNEL = 2**23, 1024


@dataclass(frozen=True, eq=False)
class Sample:
    """Magnitudes of one population's activations on the calibration set.

    Attributes
    ----------
    magnitudes : (channels, kept) float32 |a|, the same positions of the same inputs for every channel.
    largest : (channels,) max |a| over everything, not only over what was kept.
    """

    magnitudes: NDArray[np.float32]
    largest: NDArray[np.float64]

    def quantile(self, p: float) -> NDArray[np.float64]:
        """(channels,) quantile p of the non-zero magnitudes; 0 where a channel is silent. p = 1 is the maximum."""
        if p >= 1:
            return self.largest
        ordered = np.sort(self.magnitudes, axis=1)
        zeros = (ordered == 0).sum(axis=1)
        kept = ordered.shape[1]
        place = zeros + p * np.maximum(0, kept - 1 - zeros)
        low = np.minimum(np.floor(place).astype(int), kept - 1)
        high = np.minimum(low + 1, kept - 1)
        rows = np.arange(len(ordered))
        return ordered[rows, low] + (place - low) * (ordered[rows, high] - ordered[rows, low]).astype(float)

    @property
    def pooled(self) -> "Sample":
        """All channels as one."""
        return Sample(self.magnitudes.reshape(1, -1), self.largest.max(keepdims=True))


def collect(evaluator: "Evaluator", inputs: NDArray[Any], seed: int) -> dict[str, Sample]:
    """Run the trained network on the calibration inputs and keep a sample of every population."""
    rng = np.random.default_rng(seed)
    kept: dict[str, list[NDArray[np.float32]]] = {}
    largest: dict[str, NDArray[np.float64]] = {}
    for batch in evaluator.batches(inputs):
        share = len(batch) / len(inputs)
        for name, values in evaluator.ideal(batch):
            shape = evaluator.plan[name].shape
            rows = values.abs().numpy().reshape(len(batch), shape[0], -1).transpose(1, 0, 2).reshape(shape[0], -1)
            largest[name] = np.maximum(largest.get(name, np.zeros(shape[0])), rows.max(axis=1))
            budget = int(np.ceil(max(KEPT_PER_CHANNEL, KEPT_VALUES // shape[0]) * share))
            if rows.shape[1] > budget:
                rows = rows[:, rng.choice(rows.shape[1], budget, replace=False)]
            kept.setdefault(name, []).append(rows.astype(np.float32))
    return {name: Sample(np.concatenate(parts, axis=1), largest[name]) for name, parts in kept.items()}


def calibration_inputs(given: Any) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """(samples, *input shape) float64, and class indices where batches carry them; from an array, a tensor or batches.

    Raises
    ------
    ConversionError : empty, not numbers, NaN or infinite, or without a sample axis.
    """
    labels: NDArray[np.int64] | None = None
    if isinstance(given, Iterable) and not hasattr(given, "shape") and not hasattr(given, "__array__"):
        batches = list(given)
        pairs = [b for b in batches if isinstance(b, list | tuple) and len(b) == 2]
        if batches and len(pairs) == len(batches):
            labels = _class_indices([b[1] for b in pairs])
            batches = [b[0] for b in pairs]
        given = np.concatenate([_array(b) for b in batches]) if batches else np.zeros((0, 1))
    array = _array(given)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not len(array):
        raise ConversionError(
            field="calibration",
            found=f"{array.dtype} of shape {array.shape}",
            expected="numbers of shape (samples, *input shape), at least one sample",
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ConversionError(f"NaN or infinite at index {first}", field="calibration", expected="finite numbers")
    return array, labels


def _class_indices(targets: list[Any]) -> NDArray[np.int64] | None:
    """Targets that come with batches, where they are one integer a sample; boxes, masks and the like are passed over."""
    arrays = [np.asarray(t.detach().cpu()) if hasattr(t, "detach") else np.asarray(t) for t in targets]
    if any(a.ndim != 1 or not np.issubdtype(a.dtype, np.integer) for a in arrays):
        return None
    return np.concatenate(arrays).astype(np.int64)


def _array(given: Any) -> NDArray[Any]:
    if hasattr(given, "detach"):  # a tensor, perhaps on an accelerator
        given = given.detach().cpu()
        given = given.double() if given.is_floating_point() else given
        return np.asarray(given.numpy())
    try:
        return np.asarray(given)
    except ValueError:
        raise ConversionError(
            field="calibration", found=type(given).__name__, expected="an array, or batches"
        ) from None
