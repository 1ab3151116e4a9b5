"""Run a network on real inputs: what every population emits, and the outputs.

With `numerics` given, arithmetic is integer end to end, as the chip computes it. Matrix products run in floating
point only where every intermediate is an integer that the format holds exactly (below 2**24 or 2**53), so the
result is bit for bit the integer one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.activity import Activity, Recording
from sfnhw.chip import Chip
from sfnhw.errors import ActivityError
from sfnhw.files import replace_file
from sfnhw.lowering import Lowered, Sharing, function_step, lower
from sfnhw.network import FUNCTIONS, Network, Population, Product, Stationary
from sfnhw.neurons import Events
from sfnhw.numerics import Numerics
from sfnhw.timesteps import fitted

Inputs = NDArray[Any] | Mapping[str, NDArray[Any]]
# Membranes of the widest population in one chunk of samples: 64 MiB of int64, a few of which live at a time; and as
# many bytes for the levels (int16, a quarter of that) that all populations of the chunk emit.
CHUNK_VALUES = 2**23


def record(
    network: Network,
    inputs: Inputs,
    *,
    labels: NDArray[Any] | None = None,
    numerics: Numerics | None = Numerics(),  # noqa: B008  frozen
    threshold_sharing: Sharing = "population",
) -> Recording:
    """Record the activity of `network` on `inputs`.

    Parameters
    ----------
    inputs : (samples, *input shape) real values, or (samples, T, *input shape) integers where the input is coded as
        events (a network read from NIR without a T takes theirs); for several input populations a mapping from their names.
    labels : (samples,) class indices, if known: gives `Recording.accuracy`.
    numerics : widths of the chip (``chip.numerics``); None computes in real numbers, for calibration only.
    threshold_sharing : see `sfnhw.lowering`.

    Raises
    ------
    ActivityError : wrong shape, NaN, events out of range, another number of labels than of samples, a label that is
        not the index of an output, or labels for a network that does not give one vector of class scores.
    """
    network = fitted(network, inputs)
    levels, clipped = encode_inputs(network, inputs)
    samples = len(next(iter(levels.values())))
    labels = _checked_labels(network, labels, samples)
    runner = _Integers(lower(network, numerics, threshold_sharing)) if numerics else _Reals(network)
    outputs = []
    for part in chunks(network, samples):
        emitted, result = _run(network, runner, {p.name: levels[p.name][part] for p in network.inputs})
        outputs.append(result)
        for name, steps in emitted.items():
            if name not in levels:
                levels[name] = np.empty((samples, network.timesteps, network[name].size), steps[0].dtype)
            for t, step in enumerate(steps):
                levels[name][part, t] = step
    activity = Activity({p.name: levels[p.name] for p in network.populations})
    return Recording(activity, np.concatenate(outputs), labels, runner.overflows, clipped)


def record_on_chip(network: Network, chip: Chip, inputs: Inputs, labels: NDArray[Any] | None = None) -> Recording:
    """Record in a chip's integers, with thresholds shared as on the chip: see `record`."""
    sharing = chip.core.threshold_unit.sharing
    return record(network, inputs, labels=labels, numerics=chip.numerics, threshold_sharing=sharing)


def save_recording(recording: Recording, network: Network, path: str | Path) -> Path:
    """Write an .npz file: ``levels/<population>`` (samples, T, *shape) integers, and ``outputs`` (samples, outputs).

    network : the one that was recorded, over the recording's T. Populations whose values are no integers (a readout
    recorded in real numbers) are left to ``outputs``.

    Raises
    ------
    ActivityError : a recording of another network.
    InputError : the file cannot be written.
    """
    recording.activity.check(network)
    arrays: dict[str, NDArray[Any]] = {"outputs": recording.outputs}
    for p in network.populations:
        levels = recording.activity.levels[p.name]
        if levels.dtype.kind in "iu":
            arrays[f"levels/{p.name}"] = levels.reshape(*levels.shape[:2], *p.shape)
    return replace_file(path, lambda beside: np.savez_compressed(beside, **arrays))  # type: ignore[arg-type]


def encode_inputs(network: Network, inputs: Inputs) -> tuple[dict[str, NDArray[Any]], int]:
    """(samples, T, neurons) levels of each input population, and how many values were clipped to the coding's range."""
    levels, clipped = {}, 0
    for name, values in given_inputs(network, inputs).items():
        population = network[name]
        with np.errstate(over="ignore"):  # beyond the largest number is beyond the code's range too: clipped, counted
            h = values / population.scale.reshape(-1, *[1] * (len(population.shape) - 1))
        coded: NDArray[Any] = population.coding.encode(h)
        if not isinstance(population.coding, Events):
            low = -population.coding.max_level if population.coding.signed else 0
            clipped += int(((h > population.coding.max_level + 0.5) | (h < low - 0.5)).sum())
            coded = coded[:, None]  # presented at every timestep
        kind = np.int16 if population.coding.max_level < 2**15 else np.int32
        coded = coded.astype(kind).reshape(*coded.shape[:2], population.size)
        if network.window > 1:  # sent once, in the first step of the window
            levels[population.name] = np.zeros((len(coded), network.window, population.size), kind)
            levels[population.name][:, :1] = coded
        else:
            levels[population.name] = np.broadcast_to(coded, (len(coded), network.timesteps, population.size))
    return levels, clipped


def given_inputs(network: Network, inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    """Return input population → (samples, *shape), checked; raises ActivityError as `record` does."""
    given = dict(inputs) if isinstance(inputs, Mapping) else {network.inputs[0].name: inputs}
    names = [p.name for p in network.inputs]
    if set(given) != set(names):
        raise ActivityError(field="inputs", found=list(given), expected=f"arrays for {sorted(names)}")
    checked = {p.name: _checked(p, given[p.name], network.timesteps) for p in network.inputs}
    counts = {len(values) for values in checked.values()}
    if len(counts) != 1:
        raise ActivityError("inputs differ in their number of samples", field="inputs", found=sorted(counts))
    return checked


def check_inputs(network: Network, inputs: Inputs, labels: NDArray[Any] | None = None) -> None:
    """Raise ActivityError where `record` would, before any long work."""
    levels, _ = encode_inputs(fitted(network, inputs), inputs)
    _checked_labels(network, labels, len(next(iter(levels.values()))))


def _checked_labels(network: Network, labels: Any, samples: int) -> NDArray[np.int64] | None:
    """Return the labels as int64; raises ActivityError where one is no output's index."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (samples,) or not np.issubdtype(labels.dtype, np.integer):
        raise ActivityError(field="labels", found=f"{labels.dtype} {labels.shape}", expected=f"({samples},) integers")
    if len(network.outputs) > 1 or network.outputs[0].positions > 1:
        shapes = " and ".join(str(p.shape) for p in network.outputs)
        raise ActivityError(
            "labels are class indices, but the network does not give one vector of class scores",
            field="labels",
            found=f"outputs of shape {shapes}",
            expected="no labels",
        )
    outputs = network.outputs[0].size
    for label in (labels.min(), labels.max()):  # in the labels' own type: an unsigned one must not wrap
        if not 0 <= int(label) < outputs:
            expected = f"class indices from 0 to {outputs - 1}, one for each of the network's outputs"
            raise ActivityError(field="labels", found=int(label), expected=expected)
    return labels.astype(np.int64)


def _checked(population: Population, values: NDArray[Any], timesteps: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
    except ValueError:  # a ragged list
        array = np.empty(0, object)
    in_time = isinstance(population.coding, Events)
    expected = ((timesteps,) if in_time else ()) + population.shape
    field = f"inputs of {population.name!r}"
    if len(population.shape) == 3:
        # A sequence (channels, length) is an image of one row; one of (tokens, features), or a picture, of one channel.
        flat = [population.shape[::2]] * (population.rows == 1) + [population.shape[1:]] * (population.channels == 1)
        if array.shape[1:] in [(*expected[:-3], *shape) for shape in flat]:
            array = array.reshape(len(array), *expected)
    if (
        array.dtype.kind not in "fiub"
        or array.ndim != len(expected) + 1
        or array.shape[1:] != expected
        or not len(array)
    ):
        text = "(samples, " + ("T, " if in_time else "") + ", ".join(map(str, population.shape)) + ")"
        raise ActivityError(
            field=field,
            found=f"{array.dtype} of shape {array.shape}",
            expected=f"numbers of shape {text}, with at least one sample",
        )
    array = array.astype(float)
    if not np.isfinite(array).all():
        first = np.argwhere(~np.isfinite(array))[0]
        raise ActivityError(
            f"NaN or infinite at index {tuple(int(i) for i in first)}", field=field, expected="finite numbers"
        )
    return array


class _Integers:
    """Integer arithmetic on lowered weights."""

    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        network = lowered.network
        self.overflows = {p.name: 0 for p in network.populations if p.role != "input"}
        self.weights, self.tables = [], {}
        for name, side in lowered.populations.items():
            # Looked up with a negative level, NumPy counts from the end: there stand the negative words.
            self.tables[name] = np.concatenate([side.words, -side.words[:0:-1]])
        for p, q in zip(network.projections, lowered.projections, strict=True):
            source, target = network[p.source], network[p.target]
            if isinstance(p, Product | Stationary):
                self.weights.append(q.weight)
                continue
            if source.coding.sends_accumulator:  # partial sums, each added once: below 2**48
                self.weights.append(q.weight.astype(np.float64))
                continue
            largest = int(lowered.populations[p.source].words.max())
            ones = np.full((1, source.size), largest, np.float32)
            bound = float(p.apply(ones, np.abs(q.weight).astype(np.float32), source, target).max(initial=0.0))
            # The bound itself is a float32 sum of positive numbers: good to 1 % for any fan-in below 2**17.
            self.weights.append(q.weight.astype(np.float32 if 1.01 * bound < 2**24 else np.float64))

    def start(self, population: Population, samples: int) -> NDArray[Any]:
        initial = self.lowered.populations[population.name].table.initial
        shape = (samples, population.channels, population.positions)
        return np.broadcast_to(initial[:, None], shape).astype(np.int64)

    def values(self, name: str, levels: NDArray[Any], dtype: Any) -> NDArray[Any]:
        if self.lowered.network[name].coding.sends_accumulator:
            return levels.astype(dtype)
        return self.tables[name].astype(dtype)[levels]

    def project(self, i: int, levels: NDArray[Any], operand: NDArray[Any] | None) -> NDArray[Any]:
        network = self.lowered.network
        p, shift = network.projections[i], self.lowered.projections[i].shift
        # A product of two operands: the stationary one, of this sample, stands where weights do.
        weight = self.weights[i]
        if operand is not None and isinstance(p, Product):
            weight = self.values(p.operand, operand, np.float64)
        values = self.values(p.source, levels, weight.dtype)
        sums = p.apply(values, weight, network[p.source], network[p.target]).astype(np.int64)
        return sums << shift if shift else sums

    def bias(self, population: Population) -> NDArray[Any]:
        return self.lowered.populations[population.name].bias

    def settle(self, population: Population, membrane: NDArray[Any]) -> NDArray[Any]:
        top = self.lowered.numerics.accumulator_max
        if membrane.max() <= top and membrane.min() >= -top - 1:
            return membrane
        beyond = (membrane > top) | (membrane < -top - 1)
        self.overflows[population.name] += int(beyond.sum())
        if self.lowered.numerics.overflow == "saturate":
            return np.clip(membrane, -top - 1, top)
        span = 2 * (top + 1)
        return (membrane + top + 1) % span - top - 1

    def function(self, population: Population, membrane: NDArray[Any]) -> NDArray[Any]:
        lsb = self.lowered.populations[population.name].lsb
        step = function_step(population, self.lowered.numerics) / population.scale[:, None]
        return np.rint(_function(population, membrane * lsb[:, None]) * step).astype(np.int64)

    def fire(self, population: Population, membrane: NDArray[Any]) -> NDArray[Any]:
        return population.coding.fire(membrane, self.lowered.populations[population.name].table)

    def output(self, population: Population, levels: NDArray[Any]) -> NDArray[np.float64]:
        lsb = np.repeat(self.lowered.populations[population.name].lsb, population.positions)
        return levels * lsb / self.lowered.network.updates


class _Reals:
    """Real arithmetic: no rounding but the coding's own."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.overflows: dict[str, int] = {}
        self.tables = {p.name: np.concatenate([[0.0], p.coding.values()]) for p in network.populations}

    def start(self, population: Population, samples: int) -> NDArray[Any]:
        return np.full((samples, population.channels, population.positions), population.coding.start_potential)

    def values(self, name: str, levels: NDArray[Any]) -> NDArray[Any]:
        source = self.network[name]
        values = levels if source.coding.sends_accumulator else np.sign(levels) * self.tables[name][np.abs(levels)]
        return values * np.repeat(source.scale, source.positions)

    def project(self, i: int, levels: NDArray[Any], operand: NDArray[Any] | None) -> NDArray[Any]:
        p = self.network.projections[i]
        source, target = self.network[p.source], self.network[p.target]
        weight = p.weight
        if operand is not None and isinstance(p, Product):
            weight = self.values(p.operand, operand) * p.gain
        sums = p.apply(self.values(p.source, levels), weight, source, target)
        return sums if target.needs_function_unit else sums / np.repeat(target.scale, target.positions)

    def bias(self, population: Population) -> NDArray[Any]:
        bias = np.zeros(population.channels) if population.bias is None else population.bias
        scale = 1.0 if population.needs_function_unit else population.scale[:, None]
        return bias.reshape(population.channels, -1) / scale

    def function(self, population: Population, membrane: NDArray[Any]) -> NDArray[Any]:
        return _function(population, membrane) / population.scale[:, None]

    def settle(self, population: Population, membrane: NDArray[Any]) -> NDArray[Any]:
        return membrane

    def fire(self, population: Population, membrane: NDArray[Any]) -> NDArray[Any]:
        return membrane.copy() if population.role == "output" else population.coding.fire_real(membrane)

    def output(self, population: Population, levels: NDArray[Any]) -> NDArray[np.float64]:
        return levels * np.repeat(population.scale, population.positions) / self.network.updates


def _run(
    network: Network, runner: "_Integers | _Reals", inputs: dict[str, NDArray[Any]]
) -> tuple[dict[str, list[NDArray[Any]]], NDArray[np.float64]]:
    """All timesteps of one chunk of samples: levels by population and timestep, and the outputs.

    Where layers work in windows each takes in its complete input at once, and its levels are spread over time after.
    """
    samples = len(next(iter(inputs.values())))
    levels: dict[str, list[NDArray[Any]]] = {name: list(array.transpose(1, 0, 2)) for name, array in inputs.items()}
    hidden = [p for p in network.order if p.role != "input"]
    levels.update({p.name: [] for p in hidden})
    membranes = {p.name: runner.start(p, samples) for p in hidden}
    cumulative: dict[int, NDArray[Any]] = {}
    static: dict[int, NDArray[Any]] = {}
    for t in range(network.updates):
        for r in hidden:
            if r.function == "max":
                levels[r.name].append(_compact(r, _max_pool(network, r, levels, cumulative, t)))
                continue
            shape = (samples, r.channels, r.positions)
            total = np.broadcast_to(runner.bias(r), shape)
            for i, p in enumerate(network.projections):
                if p.target != r.name or t < getattr(p, "delay", 0) or isinstance(p, Stationary):
                    continue
                operand = levels[p.operand][t] if isinstance(p, Product) else None
                # An input that is the same at every timestep is projected once.
                same = network[p.source].role == "input" and network[p.source].coding.timesteps < network.timesteps
                sums = (
                    static[i]
                    if i in static
                    else runner.project(i, levels[p.source][t - getattr(p, "delay", 0)], operand)
                )
                if same:
                    static[i] = sums
                total = total + sums.reshape(shape)
            keeps = r.coding.need().keeps_residual
            membrane = runner.settle(r, membranes[r.name] + total if keeps else np.array(total))
            value = runner.function(r, membrane) if r.needs_function_unit else membrane
            levels[r.name].append(_compact(r, runner.fire(r, value).reshape(samples, r.size)))
            if keeps:
                membranes[r.name] = membrane
    outputs = [runner.output(p, levels[p.name][network.updates - 1]) for p in network.outputs]
    if network.window > 1:
        for r in hidden:
            (once,) = levels[r.name]
            spread = _after(once, network.window) if r.role == "output" else r.coding.in_time(once)
            levels[r.name] = list(spread.transpose(1, 0, 2))
    return {p.name: levels[p.name] for p in hidden}, np.concatenate(outputs, axis=1).astype(float)


def _function(population: Population, values: NDArray[Any]) -> NDArray[np.float64]:
    """Apply the function of a population's function unit: real values (samples, channels, positions) → the same."""
    grid = (len(values), population.channels, population.rows, population.columns)
    return FUNCTIONS[population.function].apply(values.reshape(grid), population.epsilon).reshape(values.shape)


def _after(accumulators: NDArray[Any], window: int) -> NDArray[Any]:
    """(samples, neurons) → (samples, window, neurons): read out in the first step, when all inputs are in."""
    out = np.zeros((len(accumulators), window, accumulators.shape[1]), accumulators.dtype)
    out[:, 0] = accumulators
    return out


def _max_pool(
    network: Network, r: Population, levels: dict[str, list[NDArray[Any]]], cumulative: dict[int, NDArray[Any]], t: int
) -> NDArray[Any]:
    """Largest level of each window; over several timesteps, what the largest *running sum* of the window gained.

    So the train that leaves a pool over T steps sums to the largest sum that entered its window, exactly, with at
    most one unit spike a step. At T = 1 this is the largest level.
    """
    (i, p) = next((i, p) for i, p in enumerate(network.projections) if p.target == r.name)
    delay = getattr(p, "delay", 0)
    now = levels[p.source][t - delay].astype(np.int64) if t >= delay else 0
    before = cumulative.get(i, np.zeros((len(levels[p.source][0]), network[p.source].size), np.int64))
    cumulative[i] = before + now

    def pool(sums: NDArray[Any]) -> NDArray[Any]:
        return p.apply(sums, np.ones(1, np.int64), network[p.source], r)

    return pool(cumulative[i]) - pool(before)


def _compact(population: Population, levels: NDArray[Any]) -> NDArray[Any]:
    if population.coding.sends_accumulator:
        return levels.astype(np.int64) if levels.dtype.kind == "i" else levels
    return levels.astype(np.int16 if population.coding.max_level < 2**15 else np.int32)


def chunks(network: Network, samples: int) -> Iterator[slice]:
    """Yield slices of samples small enough that membranes stay in memory."""
    sizes = [p.size for p in network.populations]
    step = max(1, CHUNK_VALUES // max(*sizes, sum(sizes) * network.timesteps // 4))
    for start in range(0, samples, step):
        yield slice(start, start + step)
