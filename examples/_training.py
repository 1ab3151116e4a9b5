"""Training for the examples: the same weights every time on one torch version, on one thread."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Arrays = NDArray[np.float32] | NDArray[np.int64]


def conv_bn_relu(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    """Return a 3 × 3 convolution, batch norm and ReLU."""
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def fit(
    build: Callable[[], nn.Module],
    inputs: NDArray[np.float32],
    targets: Mapping[str, Arrays],
    loss: Callable[[Tensor | dict[str, Tensor], dict[str, Tensor]], Tensor],
    *,
    epochs: int,
    rate: float = 1e-2,
    batch: int = 32,
    seed: int = 0,
) -> nn.Module:
    """Train what `build` returns and return it in eval mode: AdamW, one-cycle rate that peaks at `rate`.

    inputs, targets : arrays with one row a sample. loss : (module's outputs, targets of the batch) → scalar.
    """
    threads = torch.get_num_threads()
    data, wanted = torch.from_numpy(inputs), {name: torch.from_numpy(a) for name, a in targets.items()}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(1)
            torch.manual_seed(seed)
            module = build().train()
            optimiser = torch.optim.AdamW(module.parameters(), lr=rate / 10, weight_decay=1e-2)
            batches = len(data) // batch
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=epochs * batches)
            for _ in range(epochs):
                order = torch.randperm(len(data))
                for some in order[: batches * batch].split(batch):
                    optimiser.zero_grad(set_to_none=True)
                    loss(module(data[some]), {name: t[some] for name, t in wanted.items()}).backward()
                    optimiser.step()
                    schedule.step()
    finally:
        torch.set_num_threads(threads)
    return module.eval()


def outputs_of(module: nn.Module, inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Return what a module that returns a dictionary of tensors says, as arrays."""
    with torch.no_grad():
        return {name: t.double().numpy() for name, t in module(torch.from_numpy(inputs)).items()}
