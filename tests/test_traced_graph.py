"""Graphs as people write them: what nothing uses, what is changed in place and what is random."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from sfnhw.convert import convert, size_of
from sfnhw.errors import ConversionError
from sfnhw.estimate import estimate
from sfnhw.record import record
from sfnhw.reports.coverage import coverage

torch.set_num_threads(1)


class Written(nn.Module):
    """A module whose forward is the given function of itself and its input."""

    def __init__(self, forward, **parts: nn.Module | torch.Tensor) -> None:
        super().__init__()
        self.written = forward
        for name, part in parts.items():
            if isinstance(part, nn.Module | nn.Parameter):
                setattr(self, name, part)
            else:
                self.register_buffer(name, part)

    def forward(self, x: torch.Tensor):
        return self.written(self, x)


def pair(hidden: int = 5) -> dict[str, nn.Module]:
    return {"a": nn.Linear(8, hidden), "h": nn.Linear(hidden, 3)}


def agreed(module: nn.Module, shape: tuple[int, ...]):
    """Convert under 16-bit codes, compare outputs and multiply-accumulates with torch; the network."""
    torch.manual_seed(0)
    module = module.eval()
    x = torch.randn(12, *shape)
    network = convert(module, x, coding="graded", bits=16, input_bits=16)
    with torch.no_grad():
        expected = module(x).flatten(1).double().numpy()
    found = record(network, x.double().numpy(), numerics=None).outputs
    assert np.abs(found - expected).max() <= 2e-3 * np.abs(expected).max()
    return network


def refusal(module: nn.Module, shape: tuple[int, ...]) -> str:
    with pytest.raises(ConversionError) as error:
        convert(module.eval(), np.random.default_rng(0).random((6, *shape)), lam=0.1)
    with pytest.raises(ConversionError) as sized:
        size_of(module.eval(), shape)
    assert str(sized.value) == str(error.value)
    return str(error.value)


def test_what_nothing_uses_is_left_out_and_said():
    def forward(self, x):
        functional.relu_(self.dead(x))
        self.a(x).abs().max()
        return self.h(torch.relu(self.a(x)))

    network = agreed(Written(forward, dead=nn.Linear(8, 4), **pair()), (8,))
    assert [p.name for p in network.populations] == ["input", "a", "h"]
    assert network.dense_macs == 8 * 5 + 5 * 3
    covered = network.metadata["coverage"]
    assert covered["synapses"] == {"aten.linear.default": 2}
    assert covered["unused"] == {
        "aten.abs.default": 1,
        "aten.linear.default": 2,
        "aten.max.default": 1,
        "aten.relu_.default": 1,
    }
    run = estimate(network, inputs=np.ones((1, 8)), fidelity="analytic", baselines=())
    left_out = [text for text in coverage(run)["not_counted"] if "left out" in text]
    assert len(left_out) == 1
    assert left_out[0].endswith("left out: abs 1, linear 2, max 1, relu 1.")


def test_parts_of_what_is_refused_are_not_reported_again():
    module = Written(lambda self, x: self.h(self.l(x.unsqueeze(1))[0][:, -1]), l=nn.LSTM(8, 4, batch_first=True))
    module.h = nn.Linear(4, 2)
    assert refusal(module, (8,)).startswith("1 operation cannot be converted: l: aten.lstm")


def test_inputs_of_three_spatial_dimensions_are_refused_by_name():
    text = refusal(nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten(), nn.Linear(128, 2)), (1, 6, 6, 6))
    assert "input: values of shape (1, 6, 6, 6)" in text
    assert "0: aten.conv3d.default" in text


def test_a_change_in_place_is_seen_under_every_name():
    def forward(self, x):
        y = self.a(x)
        z = functional.relu_(y)
        z.add_(1)
        return self.h(y)

    agreed(Written(forward, **pair()), (8,))


def test_a_change_in_place_that_another_view_sees_is_refused():
    def forward(self, x):
        y = self.c(x)
        flat = y.view(y.shape[0], -1)
        y.relu_()
        return self.h(flat)

    text = refusal(Written(forward, c=nn.Conv2d(1, 2, 3), h=nn.Linear(32, 2)), (1, 6, 6))
    assert "aten.relu_.default: it changes in place what another view" in text


def test_changing_one_half_in_place_leaves_the_other():
    def forward(self, x):
        left, right = self.c(x).chunk(2, 1)
        functional.relu_(left)
        return self.h(torch.cat([left, torch.relu(right)], 1).flatten(1))

    agreed(Written(forward, c=nn.Conv2d(3, 4, 3), h=nn.Linear(144, 2)), (3, 8, 8))


def test_a_buffer_that_forward_changes_is_left_to_the_module():
    def forward(self, x):
        self.calls.add_(1)
        return self.h(torch.relu(self.a(x))) * (self.calls / self.calls)

    module = Written(forward, calls=torch.ones(1), **pair()).eval()
    size_of(module, (8,))
    before = float(module.calls)  # torch.export, and a try of ours, run the module; the walk over its graph does not
    from sfnhw.convert.trace import _EXPORTING, _export, _Walk

    with _EXPORTING:
        program = _export(module, (8,))
    after = float(module.calls)
    walk = _Walk(program, (8,), True, False)
    for node in program.graph.nodes:
        walk.visit(node)
    assert not walk.failures
    assert float(module.calls) == after >= before


@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_random_numbers_are_refused_however_small(size):
    module = Written(lambda self, x: self.h(torch.relu(self.a(x))) + size * torch.randn(3), **pair())
    assert "aten.randn.default: random numbers" in refusal(module, (8,))


def test_dropout_of_a_constant_is_not_random():
    forward = lambda self, x: self.h(torch.relu(self.a(x)) + functional.dropout(self.p, 0.1, self.training))  # noqa: E731
    agreed(Written(forward, p=torch.randn(5), **pair()), (8,))


def test_whole_numbers_are_refused():
    module = Written(lambda self, x: self.h(torch.relu(self.a(x)).to(torch.int32).float()), **pair())
    assert "aten.to.dtype: a conversion to torch.int32" in refusal(module, (8,))


def test_a_result_returned_twice_is_refused():
    assert "returned twice" in refusal(Written(lambda self, x: [self.h(torch.relu(self.a(x)))] * 2, **pair()), (8,))

    def probabilities(self, x):
        logits = self.h(torch.relu(self.a(x)))
        return logits, logits.softmax(1)

    assert "returned twice" in refusal(Written(probabilities, **pair()), (8,))


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("function", [functional.softmax, functional.log_softmax])
def test_a_last_softmax_over_any_axis_is_left_to_the_host(function, axis):
    module = Written(
        lambda self, x: function(self.c(torch.relu(self.b(x))), axis), b=nn.Conv2d(1, 4, 3, 2, 1), c=nn.Conv2d(4, 3, 1)
    )
    network = convert(module.eval(), np.random.default_rng(0).random((6, 1, 8, 8)), lam=0.1)
    assert network.metadata["on_host"] == function.__name__


def test_the_mean_over_positions_of_a_concatenation():
    def forward(self, x):
        a = torch.relu(self.c(x))
        return self.h(torch.relu(self.bn(torch.cat([a, torch.relu(self.d(a))], 1))).mean((2, 3)))

    module = Written(forward, c=nn.Conv2d(4, 3, 1), d=nn.Conv2d(3, 5, 3), bn=nn.BatchNorm2d(8), h=nn.Linear(8, 2))
    module.d.padding = (1, 1)
    agreed(module, (4, 8, 8))


def test_two_threads_may_trace_at_once():
    def size(seed: int) -> int:
        torch.manual_seed(seed)
        return size_of(nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2 + seed)).eval(), (8,)).dense_macs

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(size, range(4))) == [40 + 5 * (2 + n) for n in range(4)]
