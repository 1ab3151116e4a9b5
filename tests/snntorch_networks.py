"""Networks of snnTorch with random weights, run by snnTorch itself, and their NIR graphs by its own exporter."""

from collections import OrderedDict
from typing import Any

import numpy as np
import snntorch
import torch
from snntorch.export_nir import export_to_nir


def leaky(shape: tuple[int, ...], beta: float, threshold: float, reset: str) -> Any:
    """A layer whose parameters are whole arrays: nir 1.0.8 refuses snnTorch's scalars."""
    return snntorch.Leaky(
        beta=torch.full(shape, beta), threshold=torch.full(shape, threshold), reset_mechanism=reset, init_hidden=True
    )


def mlp(seed: int, beta: float, threshold: float, reset: str) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        OrderedDict(
            fc1=torch.nn.Linear(20, 30),
            lif1=leaky((30,), beta, threshold, reset),
            fc2=torch.nn.Linear(30, 10, bias=False),
            lif2=leaky((10,), beta / 2, threshold / 3, reset),
        )
    )


def cnn(seed: int, beta: float, threshold: float, reset: str) -> torch.nn.Sequential:
    """Pooling on both sides: of a convolution's currents before its neurons, and of spikes before weights."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        OrderedDict(
            conv1=torch.nn.Conv2d(2, 4, 3, padding=1),
            pool1=torch.nn.AvgPool2d(2),
            lif1=leaky((4, 5, 4), beta, threshold, reset),
            pool2=torch.nn.AvgPool2d(2),
            conv2=torch.nn.Conv2d(4, 6, 2, bias=False),
            lif2=leaky((6, 1, 1), beta, threshold / 3, reset),
            flat=torch.nn.Flatten(),
            fc=torch.nn.Linear(6, 3),
            lif3=leaky((3,), beta, threshold / 4, reset),
        )
    )


def forward(net: torch.nn.Module, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Spikes of each spiking layer, (samples, T, *shape), as snnTorch computes them; inputs (samples, T, *shape)."""
    kinds = (snntorch.Leaky, snntorch.RLeaky)
    layers = {name: module for name, module in net.named_modules() if isinstance(module, kinds)}
    trains: dict[str, list[np.ndarray]] = {name: [] for name in layers}
    hooks = [
        m.register_forward_hook(
            lambda _m, _i, out, name=name: trains[name].append(
                (out[0] if isinstance(out, tuple) else out).numpy().copy()
            )
        )
        for name, m in layers.items()
    ]
    torch.set_num_threads(1)  # small layers: threads that wait for each other cost more than they give
    with torch.no_grad():
        for layer in layers.values():
            layer.mem = torch.zeros(0)
            if hasattr(layer, "spk"):
                layer.spk = torch.zeros(0)
        for t in range(inputs.shape[1]):
            net(torch.as_tensor(inputs[:, t], dtype=next(net.parameters()).dtype))
    for hook in hooks:
        hook.remove()
    return {name: np.stack(train, axis=1).astype(int) for name, train in trains.items()}


def exported(net: torch.nn.Module, shape: tuple[int, ...]) -> Any:
    """The NIR graph that snnTorch writes."""
    return export_to_nir(net, torch.rand(1, *shape), ignore_dims=[0])


def trains(seed: int, samples: int, steps: int, shape: tuple[int, ...], rate: float = 0.4) -> np.ndarray:
    """Random unit spikes."""
    return (np.random.default_rng(seed).random((samples, steps, *shape)) < rate).astype(float)
