"""The demo's task: real digits, a trained CNN, and its conversion as the chip computes it."""

from functools import lru_cache

import numpy as np
import pytest
import torch

import sfnhw
from examples import digits_cnn as example
from sfnhw.convert import convert
from sfnhw.digits import digits_cnn, load_digits_split, train_digits_cnn
from sfnhw.errors import InputError
from sfnhw.network import Network
from sfnhw.numerics import Numerics
from sfnhw.record import record


@lru_cache(maxsize=1)
def trained() -> torch.nn.Module:
    return train_digits_cnn(0)


@lru_cache(maxsize=1)
def converted() -> Network:
    """The trained network as it is converted unless told otherwise: `sfn`, 8 thresholds."""
    split = load_digits_split(0)
    return convert(trained(), split.train_images, labels=split.train_labels)


def ann_accuracy(module, images, labels) -> float:
    with torch.no_grad():
        return float((module(torch.from_numpy(images)).argmax(1).numpy() == labels).mean())


def test_split_is_stratified_and_complete():
    split = load_digits_split(0)
    assert split.train_images.shape == (1437, 1, 8, 8)
    assert split.test_images.shape == (360, 1, 8, 8)
    assert split.train_images.dtype == np.float32
    assert split.train_images.min() == 0
    assert split.train_images.max() == 1
    # 1,797 digits, about 180 of each class, so 36 ± 1 of each in a fifth.
    assert set(np.bincount(split.test_labels)) <= {35, 36, 37}
    other = load_digits_split(1)
    assert not np.array_equal(split.test_labels, other.test_labels)


def test_size_as_documented():
    module = digits_cnn()
    network_weights = sum(p.numel() for n, p in module.named_parameters() if n.endswith("weight") and p.ndim > 1)
    # 24·9 + 2·24·24·9 + 48·24·9 + 10·192 = 216 + 10,368 + 10,368 + 1,920
    assert network_weights == 22_872
    with pytest.raises(InputError, match="width"):
        digits_cnn(0)


def test_trained_network_converts_within_half_a_point():
    """N = 8, T = 1, 8-bit weights, on all 360 test images: the issue's own requirement."""
    module, split = trained(), load_digits_split(0)
    ann = ann_accuracy(module, split.test_images, split.test_labels)
    assert ann >= 0.98
    network = converted()
    assert network.timesteps == 1
    recording = record(network, split.test_images, labels=split.test_labels, numerics=Numerics())
    assert recording.accuracy >= ann - 0.005
    assert sum(recording.overflows.values()) == 0
    # input 64 + 3 × 24·64 + 48·16 + 48·4 + 10
    assert sum(p.size for p in network.populations) == 5642


def test_the_example_shows_the_chain_on_this_network(monkeypatch, capsys):
    """examples/digits_cnn.py trains and converts what is trained and converted here: its main is given that."""
    split = load_digits_split(0)

    def given(module, images, *, labels, thresholds):
        assert module is trained()
        assert np.array_equal(images, split.train_images)
        assert np.array_equal(labels, split.train_labels)
        assert {len(p.coding.boundaries) for p in converted().populations if p.role == "hidden"} == {thresholds}
        return converted()

    monkeypatch.setattr(example, "train_digits_cnn", trained)
    monkeypatch.setattr(sfnhw, "convert", given)
    example.main()
    lines = capsys.readouterr().out.splitlines()
    accuracy = record(converted(), split.test_images, labels=split.test_labels, numerics=Numerics()).accuracy
    assert lines[0] == f"accuracy   {accuracy:.2%}"
    assert [line.split()[0] for line in lines] == ["accuracy", "energy", "latency", "throughput"]
    assert max(map(len, lines)) <= 80


def test_training_is_deterministic_and_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, second = (train_digits_cnn(0, width=2, epochs=1) for _ in range(2))
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
