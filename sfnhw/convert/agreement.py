"""Hold the folded plan against the module itself; a difference is an error, never a silent one."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from sfnhw.convert.evaluate import Evaluator
from sfnhw.convert.values import OnHost
from sfnhw.errors import ConversionError

# Largest difference between module and folded plan, relative to the largest output, by the module's own precision.
TOLERANCE = {"torch.float64": 1e-6, "torch.float32": 1e-3}
LOOSE_TOLERANCE = 5e-2  # half precision


def agree(
    module: torch.nn.Module, evaluator: Evaluator, inputs: NDArray[Any], on_host: tuple[OnHost | None, ...]
) -> list[dict[str, Any]]:
    """Compare both on some inputs, each tensor that the module returns by itself.

    Returns for each of them its ``name`` (where in the returned tuple or dictionary), ``shape`` (without the sample
    axis) and ``on_host`` (the last operation, if it is left to the host, or None).

    Raises
    ------
    ConversionError : a difference above `TOLERANCE`.
    """
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(1))
    with torch.no_grad():
        batch = torch.from_numpy(np.ascontiguousarray(inputs)).to(like.dtype).to(like.device)
        leaves, _ = pytree.tree_flatten_with_path(module(batch))
    found = torch.from_numpy(evaluator.ideal_outputs(inputs))
    results, start = [], 0
    for (path, leaf), function in zip(leaves, on_host, strict=True):
        expected = leaf.double().cpu()
        size = expected[0].numel()
        part = found[:, start : start + size]
        start += size
        if part.shape[1] == size:
            part = part.reshape(expected.shape)
        if function is not None:
            part = torch.sigmoid(part) if function.function == "sigmoid" else _softmax(part, function)
        name = pytree.keystr(path) or "output"
        _close(part, expected, TOLERANCE.get(str(like.dtype), LOOSE_TOLERANCE), name if len(leaves) > 1 else "")
        results.append({"name": name, "shape": list(expected.shape[1:]), "on_host": function and function.function})
    return results


def _softmax(values: torch.Tensor, function: OnHost) -> torch.Tensor:
    name = function.function.strip("_")
    found: torch.Tensor = getattr(torch, name)(values, dim=function.axis)
    return found


def _close(found: torch.Tensor, expected: torch.Tensor, allowed: float, name: str) -> None:
    scale = float(expected.abs().max())
    difference = float((found - expected).abs().max()) if found.shape == expected.shape else float("inf")
    if not difference <= allowed * max(scale, 1e-6):
        raise ConversionError(
            "the converted graph does not compute what the module does",
            field="module" + (f", result {name}" if name else ""),
            found=f"a difference of {difference:.3g} at outputs up to {scale:.3g}",
            expected=f"at most {allowed:g} of that: does forward depend on its input's values, or on randomness?",
        )
