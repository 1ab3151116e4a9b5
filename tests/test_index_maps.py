"""Index maps: what is remembered of them is what is computed, and what a constant of each neuron is."""

import gc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sfnhw.convert import convert, layout, narrow, size_of
from sfnhw.convert.aten import attention, functions, linear
from sfnhw.convert.layout import per_neuron, plain, same_map
from sfnhw.convert.memo import _ACTIVE, _Entry, _Memo, once, remembering
from sfnhw.convert.values import EXAMPLE_SAMPLES, UnsupportedError
from sfnhw.convert.weights import applied, hollow, is_hollow, scaled, with_columns
from sfnhw.network.block import Fan

GRIDS = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)) | st.tuples(st.integers(1, 6))
QUESTIONS = {
    "is_plain": layout.is_plain,
    "vectors": layout.vectors,
    "entries": lambda index, grid: layout._entries(index.shape[-1:], index, grid),
    "merged": lambda index, grid: layout.merged((3, *grid[1:]), layout.vectors(index, grid)),
    "used": narrow._used,
    "tokens": linear._tokens,
    "columns": functions._runs_over_columns,
    "over channels": attention._over_channels,
    "heads": attention._heads,
    "scores": lambda index, grid: attention._score_map(index, index, grid, grid),
    "mix": lambda index, grid: attention._mix_map(index, index, grid, grid),
}


@st.composite
def moved(draw):
    """The map of a population after a few moves that a module may make, as views and as copies."""
    grid = draw(GRIDS)
    index = plain(grid)
    for _ in range(draw(st.integers(0, 4))):
        move = draw(st.sampled_from(["transpose", "split", "flatten", "slice"]))
        axis = draw(st.integers(0, index.ndim - 1))
        length = index.shape[axis]
        if move == "transpose":
            index = index.transpose(draw(st.permutations(range(index.ndim))))
        elif move == "split" and index.ndim < 5:
            divisor = draw(st.sampled_from([d for d in range(1, length + 1) if length % d == 0]))
            index = index.reshape(*index.shape[:axis], divisor, length // divisor, *index.shape[axis + 1 :])
        elif move == "flatten" and index.ndim > 2:
            axis = min(axis, index.ndim - 2)
            index = index.reshape(*index.shape[:axis], -1, *index.shape[axis + 2 :])
        elif move == "slice":
            index = np.moveaxis(np.moveaxis(index, axis, 0)[draw(st.integers(0, length - 1)) :], 0, axis)
    return (index if index.ndim > 1 else index[:, None]), grid


def answer(question, index, grid):
    """Its result, or how it fails: products, too, of maps that are no operands."""
    try:
        return question(index, grid)
    except (UnsupportedError, ValueError, IndexError) as error:
        return str(error)


def equal(a, b) -> bool:
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(equal, a, b))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b and type(a) is type(b)


@settings(max_examples=150, deadline=None)
@given(maps=st.lists(moved(), min_size=1, max_size=4), budget=st.sampled_from([0, 300, 10**4, 2**29]))
def test_what_is_remembered_is_what_is_computed(maps, budget):
    """Whatever was asked before, however little may be held, and whether the map is a view or a copy of one."""
    with remembering(budget):
        for index, grid in maps * 2:
            for question in QUESTIONS.values():
                found = answer(question, index, grid)
                token = _ACTIVE.set(None)
                expected = answer(question, index.copy(), grid)
                _ACTIVE.reset(token)
                assert equal(found, expected)
            memo = _ACTIVE.get()
            owners = {id(o.base if o.base is not None else o): o for e in memo.entries.values() for o in arrays(e)}
            assert memo.size == sum((o if o.base is None else o.base).nbytes for o in owners.values()) <= budget


def arrays(value):
    if isinstance(value, tuple):
        return [a for part in value for a in arrays(part)]
    return [value] if isinstance(value, np.ndarray) else []


@settings(max_examples=100, deadline=None)
@given(case=moved(), data=st.data())
def test_a_constant_of_each_neuron(case, data):
    """Element by element: the neuron that stands somewhere meets the number that torch broadcasts to there."""
    index, grid = case
    axes = data.draw(st.lists(st.booleans(), min_size=index.ndim, max_size=index.ndim))
    shape = tuple(n if keep else 1 for n, keep in zip(index.shape, axes, strict=True))
    values = data.draw(st.lists(st.integers(1, 3), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    factor = np.array(values, float).reshape(shape)
    size = int(np.prod(grid))
    met = [[set() for _ in range(size)] for _ in range(EXAMPLE_SAMPLES)]
    for where in np.ndindex(index.shape):
        sample, neuron = divmod(int(index[where]), size)
        met[sample][neuron].add(factor[tuple(i if keep else 0 for i, keep in zip(where, axes, strict=True))])
    if factor.size == 1:
        assert per_neuron(factor, index, grid).tolist() == factor.ravel().tolist()
    elif all(len(m) == 1 for m in met[0]) and all(sample == met[0] for sample in met):
        found = per_neuron(factor, index, grid)
        assert np.repeat(found, size // found.size).tolist() == [m.copy().pop() for m in met[0]]
        assert found.size in (grid[0], size)
    else:
        with pytest.raises(UnsupportedError, match="a constant of shape"):
            per_neuron(factor, index, grid)


def test_an_array_that_may_change_is_not_remembered():
    calls = []

    @once
    def total(a):
        calls.append(1)
        return int(a.sum())

    with remembering():
        writable, fixed = np.arange(4), plain((4,))
        assert [total(writable), total(writable), total(fixed), total(fixed)] == [6, 6, 28, 28]
        assert len(calls) == 3
        writable[0] = 10
        view = writable[:]
        view.setflags(write=False)  # its memory still changes under it
        assert total(view) == 16
        writable[0] = 20
        assert total(view) == 26
    assert total(fixed) == 28
    assert len(calls) == 6, "outside, nothing is remembered"


def test_addresses_are_not_taken_for_contents():
    """Arrays that come and go lie at the same few addresses; each answer is still its own."""

    @once
    def first(a):
        return int(a[0])

    with remembering(budget=2**14):
        for k in range(300):
            array = np.full(128, k)
            array.setflags(write=False)
            assert first(array) == k
            del array
            gc.collect(0)


def test_results_of_one_content_are_one_array():
    with remembering():
        a = layout.reshaped(plain((2, 3, 1)).swapaxes(1, 2), (2, 6))
        b = layout.merged((2, 3, 1), layout.vectors(plain((2, 3, 1))[..., 0].swapaxes(1, 2), (2, 3, 1)))
        c = layout.merged((2, 3, 1), layout.vectors(b.reshape(2, 3, 2), (2, 3, 1)))
        assert b is c
        assert same_map(a, b.reshape(2, 6))


def test_memory_that_several_entries_hold_counts_once():
    memo = _Memo(10**6)
    index = plain((100,))
    for key in ("a", "b"):
        memo.keep(key, _Entry((index,), index[0]))
    assert memo.size == index.nbytes


@given(
    channels=st.integers(0, 5),
    positions=st.integers(1, 5),
    widths=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    taps=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    one=st.tuples(st.booleans(), st.booleans()),
)
def test_the_sum_of_a_fan_is_the_sum_over_its_neurons(channels, positions, widths, taps, one):
    width = np.array(widths[: 1 if one[0] else max(1, channels)])
    fan = Fan(width, np.array(taps[: 1 if one[1] else positions]), positions)
    neurons = channels * positions
    assert fan.total(neurons) == fan.per_neuron(neurons).sum() == sum(fan.per_neuron(neurons).tolist())


@given(rows=st.integers(1, 4), columns=st.integers(2, 4), positions=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_shape_is_reckoned_with_as_ones(rows, columns, positions, seed):
    rng = np.random.default_rng(seed)
    shape, ones = hollow((rows, columns)), np.ones((rows, columns))
    values, order = rng.integers(-5, 5, (columns, positions)).astype(float), rng.permutation(columns)
    assert is_hollow(shape)
    assert not is_hollow(ones)
    assert np.array_equal(applied(shape, values), ones @ values)
    for found in (scaled(shape, values[:, 0]), with_columns(shape, order)):
        assert is_hollow(found)
        assert found.shape == ones.shape
    weight = rng.normal(size=(rows, columns))
    assert np.array_equal(scaled(weight, values[:, 0]), weight * values[:, 0])
    assert np.array_equal(with_columns(weight, order)[:, order], weight)


class Blocks(nn.Module):
    """Residual blocks that are all alike."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(depth)
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=1))


def test_the_work_on_maps_does_not_grow_with_depth(monkeypatch):
    counts = []
    for depth in (3, 5):
        seen = []
        monkeypatch.setattr(_Memo, "shared", lambda self, v, seen=seen, real=SHARED: seen.append(1) or real(self, v))
        assert len([p for p in size_of(Blocks(depth).eval(), (8, 5)).layers if ".softmax" in p.name]) == depth
        counts.append(len(seen))
    assert counts[0] == counts[1] > 0


SHARED = _Memo.shared


def test_weights_that_are_one_expanded_number_are_numbers():
    """A tensor without strides has values, which a meta tensor has not."""

    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 3)
            self.norm.weight = nn.Parameter(torch.full((1,), 3.0).double().expand(6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.norm(x.transpose(1, 2)).mean(dim=1))

    module = Normed().double().eval()
    assert set(module.norm.weight.stride()) == {0}
    network = convert(module, torch.randn(4, 6, 5).double(), coding="graded")  # refuses what disagrees with the module
    (head,) = [p for p in network.projections if p.target == "head"]
    assert np.allclose(head.weight, 3.0 * module.head.weight.detach().numpy())


def test_progress_of_a_size():
    seen = []
    size_of(Blocks(1).eval(), (8, 5), progress=lambda *told: seen.append(told))
    assert {stage for stage, _, _ in seen} == {"trace"}
    assert seen[0] == ("trace", 0, 1)
    done = [d for _, d, total in seen[1:] if d < total]
    assert done == sorted(set(done))
    assert len(done) == len(seen) - 1 > 5
