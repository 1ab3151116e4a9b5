"""An event camera looks at digits: polarity events over T steps into leaky integrate-and-fire neurons.

The network is trained as a spiking one, with surrogate gradients, and built by hand for the chip.
Run from the checkout: python -m examples.event_stream
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import sfnhw
from examples._answers import show
from examples._training import fit
from sfnhw.digits import load_digits_split
from sfnhw.network import Conv2d, Dense
from sfnhw.neurons import LIF, Events, Readout

STEPS = 16
BETA = 0.9  # of a membrane, each step
SENSOR = 12  # pixels each way
# A pixel fires when its log intensity has moved by this much since its last event (Lichtsteiner et al. 2008).
CONTRAST = 0.35
REACH = 3.0  # pixels that a saccade goes
DARK = 0.15  # intensity of the background; the logarithm needs one


def stream(images: NDArray[np.float32], seed: int, steps: int = STEPS) -> NDArray[np.int64]:
    """Return the events of digits before a sensor that makes three saccades, along the sides of a triangle.

    So were N-MNIST's recordings made (Orchard et al. 2015). Where the triangle begins differs from stream to stream.
    images : (n, 1, 8, 8) in [0, 1]. Returns (n, steps, 2, 12, 12): brighter and darker events, 0 or 1.
    """
    start = np.random.default_rng(seed).uniform(0, SENSOR - images.shape[-1] - REACH, (len(images), 2))
    corners = REACH * np.array([[0.0, 0.0], [1.0, 0.5], [0.0, 1.0], [0.0, 0.0]])
    path = np.stack([np.interp(np.linspace(0, 3, steps + 1), range(4), axis) for axis in corners.T], axis=1)
    before = np.log(_frames(images, start) + DARK)
    events = np.zeros((len(images), steps, 2, SENSOR, SENSOR), np.int64)
    for t in range(steps):
        now = np.log(_frames(images, start + path[t + 1]) + DARK)
        brighter, darker = now - before >= CONTRAST, before - now >= CONTRAST
        events[:, t, 0], events[:, t, 1] = brighter, darker
        before = before + CONTRAST * brighter - CONTRAST * darker
    return events


def _frames(images: NDArray[np.float32], corner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw each image with its corner at a real position, by bilinear interpolation: (n, sensor, sensor)."""
    n, _, size, _ = images.shape
    out = np.zeros((n, SENSOR + 1, SENSOR + 1))
    whole = np.minimum(corner.astype(int), SENSOR - size)
    part = corner - whole
    pixel = np.arange(size)
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
            rows, columns = whole[:, :1] + down + pixel, whole[:, 1:] + right + pixel
            out[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]] += (
                weight[:, None, None] * images[:, 0]
            )
    return out[:, :SENSOR, :SENSOR]


class Surrogate(torch.autograd.Function):
    """A step forwards; backwards the slope of a fast sigmoid, 1 / (1 + 5|x|)² (Zenke and Ganguli 2018)."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        """Return 1 where x ≥ 0."""
        context.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(context: Any, slope: Tensor) -> Tensor:
        """Return the slope times the surrogate's."""
        (x,) = context.saved_tensors
        return slope / (1 + 5 * x.abs()) ** 2


class SpikingNet(nn.Module):
    """Two strided convolutions of LIF neurons, threshold 1 and soft reset; the classes are the mean over the steps."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.edges = nn.Conv2d(2, width, 3, 2, padding=1)
        self.shapes = nn.Conv2d(width, 2 * width, 3, 2, padding=1)
        self.classes = nn.Linear(2 * width * 9, 10)

    def forward(self, events: Tensor) -> Tensor:
        """Events (n, T, 2, 12, 12) → (n, 10) scores."""
        return self.classes(self.lif(self.shapes, self.lif(self.edges, events)).flatten(2)).mean(dim=1)

    @staticmethod
    def lif(layer: nn.Module, spikes: Tensor) -> Tensor:
        """Return the spikes (n, T, ...) of leaky neurons behind a layer: v ← v + x; spike at v ≥ 1; v ← β(v − spike)."""
        currents = layer(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])
        v, out = torch.zeros_like(currents[:, 0]), []
        for current in currents.unbind(1):
            v = v + current
            out.append(Surrogate.apply(v - 1))
            v = BETA * (v - out[-1])
        return torch.stack(out, dim=1)


def as_network(module: SpikingNet, steps: int = STEPS) -> sfnhw.Network:
    """Return the trained network as populations and projections: nothing is converted, it is a spiking one already."""
    weights = {name: p.detach().double().numpy() for name, p in module.named_parameters()}
    channels, neuron = len(weights["edges.bias"]), LIF(steps, beta=BETA)
    populations = (
        sfnhw.Population("camera", (2, SENSOR, SENSOR), Events(steps), role="input"),
        sfnhw.Population("edges", (channels, 6, 6), neuron, bias=weights["edges.bias"]),
        sfnhw.Population("shapes", (2 * channels, 3, 3), neuron, bias=weights["shapes.bias"]),
        sfnhw.Population("classes", (10,), Readout(steps), role="output", bias=weights["classes.bias"]),
    )
    projections = (
        Conv2d("camera", "edges", weights["edges.weight"], (2, 2), (1, 1)),
        Conv2d("edges", "shapes", weights["shapes.weight"], (2, 2), (1, 1)),
        Dense("shapes", "classes", weights["classes.weight"]),
    )
    return sfnhw.Network(populations, projections, "event stream")


def main(
    passes: int = 1, epochs: int = 12, tests: int = 360, simulated: int = 16, folder: str | None = "out/event_stream"
) -> tuple[float, float]:
    """Train on `passes` streams of every digit, judge on streams of test digits; returns both accuracies."""
    digits = load_digits_split()
    events = stream(np.tile(digits.train_images, (passes, 1, 1, 1)), seed=0).astype(np.float32)
    wanted = {"label": np.tile(digits.train_labels, passes)}
    module = fit(
        SpikingNet, events, wanted, lambda y, t: nn.functional.cross_entropy(y, t["label"]), epochs=epochs, rate=1e-2
    )
    seen, labels = stream(digits.test_images[:tests], seed=1), digits.test_labels[:tests]
    with torch.no_grad():
        guesses = module(torch.from_numpy(seen.astype(np.float32))).argmax(dim=1).numpy()
    network = as_network(module)
    chip = sfnhw.load_chip("reference").replace({"noc.columns": 2, "noc.rows": 2})
    trained = float((guesses == labels).mean())
    accuracy = sfnhw.record(network, seen, labels=labels, numerics=chip.numerics).accuracy or 0.0
    run = sfnhw.estimate(network, chip, seen[:simulated], baselines=())
    lines = [
        f"events     {seen.sum() / len(seen):,.0f} a stream of {STEPS} steps, both polarities",
        f"trained    {trained:.2%} ({len(labels)} test streams)",
        f"on chip    {accuracy:.2%}, LIF neurons over {STEPS} steps",
    ]
    show(lines, run, folder)
    return trained, accuracy


if __name__ == "__main__":
    main()
