"""The examples run, and say what they should; what they judge by is checked by hand and by laws."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import sfnhw
from examples import control_policy, digits_detection, digits_segmentation, digits_vit, event_stream
from examples._scenes import Thing, box_iou, draw_scenes, judge, matches, mean_average_precision

ROOT = Path(__file__).resolve().parent.parent


def run(name: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / name)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def narrow(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 80


@pytest.mark.slow
def test_digits_cnn():
    """The script as it is run; tests/test_convert_digits.py gives its `main` a network that it shares."""
    assert "accuracy   9" in run("digits_cnn.py")


def test_handmade_network():
    # The spike moves on by one neuron a timestep.
    assert "timestep, neuron: 0, 0, 1, 1, 2, 2, 3, 3" in run("handmade_network.py")


def test_overlap_by_hand():
    # 2 × 2 boxes that share one pixel: 1 / (4 + 4 - 1).
    assert box_iou(np.array([0.0, 0, 2, 2]), np.array([1.0, 1, 3, 3])) == pytest.approx(1 / 7)
    assert box_iou(np.array([0.0, 0, 2, 2]), np.array([2.0, 2, 3, 3])) == 0


def test_a_true_thing_is_found_once_and_the_surest_has_it():
    box = np.array([0.0, 0, 4, 4])
    found = [Thing(3, box, 0.6), Thing(3, box, 0.9), Thing(5, box, 1.0)]
    assert matches(found, [Thing(3, box)]) == [-1, 0, -1]
    # Of 1 true thing and 3 found ones, 1 is right: F1 = 2·1 / (3 + 1).
    assert judge([found], [[Thing(3, box)]]).f1 == pytest.approx(0.5)


def test_average_precision_by_hand():
    # Ranked: right, wrong, right of 3 true: precision 1 up to recall 1/3, 2/3 up to 2/3, then nothing.
    true = [[Thing(0, np.zeros(4))] * 3]
    hits = [(0, 0.9, True), (0, 0.8, False), (0, 0.7, True)]
    assert mean_average_precision(hits, true, {0}) == pytest.approx((1 + 2 / 3) / 3)


@pytest.mark.parametrize("test", [False, True])
def test_scenes_do_not_overlap_and_are_the_same_each_time(test):
    scenes, again = (draw_scenes(40, seed=3, test=test) for _ in range(2))
    assert np.array_equal(scenes.images, again.images)
    for image, things in zip(scenes.images[:, 0], scenes.things, strict=True):
        masks = np.array([t.mask for t in things])
        assert 1 <= len(things) <= 3
        assert masks.sum(axis=0).max() == 1
        assert image[masks.any(axis=0)].min() > image[~masks.any(axis=0)].min()
    assert judge(scenes.things, scenes.things) == (1, 1, 1)


def ideal(targets: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the maps of a network that is sure of what it was taught."""
    maps = {name: target.astype(float) for name, target in targets.items()}
    maps["digit"] = np.moveaxis(np.eye(10)[targets["digit"]], -1, 1) * 9
    return maps


def test_detections_are_read_as_they_were_taught():
    scenes = draw_scenes(60, seed=4)
    maps = ideal(digits_detection.targets_of(scenes))
    maps["object"] = np.where(maps["object"] > 0, 9.0, -9.0)
    assert min(judge(digits_detection.things_in(maps), scenes.things)) == pytest.approx(1, abs=1e-6)


def test_masks_are_read_as_they_were_taught():
    scenes = draw_scenes(60, seed=5)
    maps = ideal(digits_segmentation.targets_of(scenes))
    maps["ink"] -= 0.5
    assert min(judge(digits_segmentation.things_in(maps), scenes.things)) == 1


def test_energy_of_the_cart_and_pole_is_what_the_force_puts_in():
    # Lagrangian of a cart with a uniform rod (moment of inertia ml²/3 about its middle): dE/dt = F·ẋ.
    rng = np.random.default_rng(0)
    state, force = rng.normal(0, 1, (50, 4)), rng.normal(0, 5, 50)
    m, half, g = control_policy.POLE, control_policy.HALF_LENGTH, control_policy.GRAVITY
    _, v, a, w = state.T
    by_state = [
        0 * v,
        (control_policy.CART + m) * v + m * half * w * np.cos(a),
        -m * half * v * w * np.sin(a) - m * g * half * np.sin(a),
        m * half * v * np.cos(a) + 4 / 3 * m * half**2 * w,
    ]
    power = (np.stack(by_state, axis=1) * control_policy.derivative(state, force)).sum(axis=1)
    np.testing.assert_allclose(power, force * v, atol=1e-9)


def test_the_policy_balances_with_the_chip_in_the_loop(capsys):
    kept = control_policy.main(hidden=16, epochs=6, episodes=8, seconds=4, folder=None)
    # Left alone the pole falls in under a second; with the chip's integers it stays up as the regulator keeps it.
    assert kept["no force"] < 0.25
    assert kept["regulator"] == kept["on chip"] == 1
    assert narrow(capsys.readouterr().out)


def test_nothing_moves_nothing_is_seen():
    assert not event_stream.stream(np.zeros((2, 1, 8, 8), np.float32), seed=0).any()


def test_the_spiking_network_by_hand_is_the_one_that_was_trained():
    torch.manual_seed(0)
    module = event_stream.SpikingNet(4).double()
    module.edges.weight.data *= 3  # untrained neurons hardly fire
    module.shapes.weight.data *= 3
    events = (np.random.default_rng(0).random((5, event_stream.STEPS, 2, 12, 12)) < 0.2).astype(int)
    with torch.no_grad():
        spikes = module.lif(module.edges, torch.from_numpy(events).double())
        wanted = module(torch.from_numpy(events).double()).numpy()
    recording = sfnhw.record(event_stream.as_network(module), events, numerics=None)
    assert 0.02 < spikes.mean() < 0.9
    assert np.array_equal(recording.activity.levels["edges"], spikes.flatten(2).numpy())
    np.testing.assert_allclose(recording.outputs, wanted, atol=1e-9)


def test_a_small_detector_runs_to_its_end(capsys):
    digits_detection.main(scenes=64, epochs=1, tests=8, folder=None)
    out = capsys.readouterr().out
    assert narrow(out)
    assert [line.split()[0] for line in out.splitlines()] == ["trained", "on", "energy", "latency", "cores"]


@pytest.mark.slow
def test_digits_vit(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # its path is part of what is printed
    trained, chip = digits_vit.main(simulated=4, folder="run")
    # A CNN reads nearly all; a transformer this small loses some, and its 16 levels a few more: 5 points are 18 images.
    assert trained > 0.95
    assert chip > trained - 0.05
    assert narrow(capsys.readouterr().out)
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("example", [digits_detection, digits_segmentation], ids=["boxes", "masks"])
def test_scenes_on_the_chip(example, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # its path is part of what is printed
    trained, chip = example.main(folder="run")
    # Of about 400 digits at most one in ten is missed, made up or misread; the chip adds at most 20 of them.
    assert trained.f1 > 0.9
    assert all(c > t - 0.05 for c, t in zip(chip, trained, strict=True))
    assert narrow(capsys.readouterr().out)
    assert (tmp_path / "run" / "report.html").is_file()


@pytest.mark.slow
def test_event_stream(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # its path is part of what is printed
    trained, chip = event_stream.main(folder="run")
    # The chip has 8-bit weights and a 16-bit leak, else the same neurons: 2 points are 7 of 360 streams.
    assert trained > 0.85
    assert abs(chip - trained) < 0.02
    assert narrow(capsys.readouterr().out)
    assert (tmp_path / "run" / "report.html").is_file()
