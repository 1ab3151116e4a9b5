"""The synthesis benchmark: netlists computed in Python, and, where yosys is there, small circuits from Verilog to gates."""

import json

import numpy as np
import pytest

from benchmarks.synthesis import __main__ as bench
from benchmarks.synthesis.check import wrong_answers, wrong_scales
from benchmarks.synthesis.designs import Design, trial
from benchmarks.synthesis.netlist import GATES, Netlist
from benchmarks.synthesis.yosys import HERE, Synthesised, available, cell_areas, synthesise
from sfnhw.chip.threshold_unit import KINDS

needs_yosys = pytest.mark.skipif(not available(), reason="yosys is not installed")


def module(cells, ports, init=()):
    """A module as yosys writes it: cells name -> (type, {port: net}), ports name -> nets."""
    return {
        "cells": {
            name: {"type": kind, "connections": {port: [net] for port, net in nets.items()}}
            for name, (kind, nets) in cells.items()
        },
        "ports": {name: {"bits": nets} for name, nets in ports.items()},
        "netnames": {f"n{net}": {"bits": [net], "attributes": {"init": value}} for net, value in init},
    }


def test_a_full_adder_adds():
    # Gates in an order that their inputs do not have.
    cells = {
        "carry": ("$_OR_", {"A": 7, "B": 8, "Y": 9}),
        "sum": ("$_XOR_", {"A": 5, "B": 4, "Y": 6}),
        "half": ("$_XOR_", {"A": 2, "B": 3, "Y": 5}),
        "both": ("$_AND_", {"A": 2, "B": 3, "Y": 7}),
        "late": ("$_AND_", {"A": 5, "B": 4, "Y": 8}),
    }
    netlist = Netlist.read(module(cells, {"a": [2], "b": [3], "c": [4], "out": [6, 9]}))
    a, b, c = (np.arange(8) >> k & 1 for k in range(3))
    out = netlist.run({"a": [a], "b": [b], "c": [c]}, 1, 0, np.random.default_rng(0))
    assert out["out"].tolist() == (a + b + c).tolist()
    assert netlist.gate_count() == 5
    assert netlist.gate_equivalents({"XOR2": 2.0, "AND2": 1.333, "OR2": 1.333}) == pytest.approx(4 + 3 * 1.333)


def test_flip_flops_wait_for_their_clock_and_their_enable():
    cells = {
        "toggle": ("$_DFF_P_", {"D": 3, "Q": 2, "C": 9}),
        "not": ("$_NOT_", {"A": 2, "Y": 3}),
        "hold": ("$_DFFE_PP_", {"D": 2, "E": 4, "Q": 5, "C": 9}),
    }
    netlist = Netlist.read(module(cells, {"clk": [9], "e": [4], "q": [2, 5]}, [(2, "0"), (5, "1")]))
    enable = np.array([0, 1])
    seen = [netlist.run({"e": [enable]}, 1, n, np.random.default_rng(0))["q"].tolist() for n in range(4)]
    # Toggling 0, 1, 0, 1; the second keeps its 1 without enable, and follows one cycle behind with it.
    assert seen == [[2, 2], [3, 1], [2, 2], [3, 1]]
    assert netlist.gate_equivalents({"INV": 0.667}) == pytest.approx(5.67 + 8.0 + 0.667)


def test_every_cell_has_an_area_and_a_function():
    areas = cell_areas()
    assert set(areas) <= set(GATES)
    assert areas["NAND2"] == 1.0
    assert all(area > 0 for name, area in areas.items() if name not in ("ZERO", "ONE"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signed", [False, True])
def test_trials_reach_every_level(kind, signed):
    asked = trial(Design(kind, signed, 4, 16), 512, np.random.default_rng(3))
    assert set(asked.level.tolist()) == {0, 1, 2, 3, 4}
    assert asked.negative.any() == signed
    assert np.all(np.abs(asked.residual) <= 1 << 15)


def test_without_yosys_it_says_so_and_passes(monkeypatch, capsys):
    monkeypatch.setattr(bench, "available", lambda: False)
    monkeypatch.setattr("sys.argv", ["synthesis"])
    assert bench.main() == 0
    assert "yosys is not installed" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["synthesis", "--json"])
    assert bench.main() == 0
    assert "yosys is not installed" in json.loads(capsys.readouterr().out)["skipped"]


@needs_yosys
@pytest.mark.parametrize("kind", KINDS)
def test_a_small_unit_from_verilog_to_gates(kind):
    design = Design(kind, True, 3, 8)  # three: not a power of two, so that some indices have no threshold
    made = synthesise(design.module, design.parameters)
    assert wrong_answers(design, made) == []


@needs_yosys
def test_a_broken_netlist_is_found_out():
    design = Design("parallel", False, 2, 8)
    made = synthesise(design.module, design.parameters)
    kind, ports = made.gates.cells[0]
    other = {"AND2": "OR2", "OR2": "AND2", "NAND2": "NOR2", "XOR2": "XNOR2", "ANDNOT": "ORNOT", "ORNOT": "ANDNOT"}
    broken = Netlist([(other.get(kind, "BUF"), ports), *made.gates.cells[1:]], made.gates.ports, made.gates.started)
    assert wrong_answers(design, Synthesised(broken, made.cells))


@needs_yosys
@pytest.mark.parametrize(("step", "multiply"), [("multiply", 1), ("shift", 0)])
def test_the_scaling_step_from_verilog_to_gates(step, multiply):
    made = synthesise("scale", {"W": 8, "M": 8, "MULTIPLY": multiply})
    assert wrong_scales(step, 8, made.cells) == []


@needs_yosys
@pytest.mark.slow
def test_the_committed_measurements_are_what_this_yosys_gives(tmp_path, monkeypatch):
    path = tmp_path / "measured.json"
    monkeypatch.setattr("sys.argv", ["synthesis", "--no-widths", "-o", str(path)])
    assert bench.main() == 0
    here = json.loads(path.read_text(encoding="utf-8"))
    kept = json.loads((HERE / "measured.json").read_text(encoding="utf-8"))
    rows = {(r["kind"], r["signed"], r["thresholds"], r["width_bits"]): r for r in kept["rows"]}
    for r in here["rows"]:
        old = rows[r["kind"], r["signed"], r["thresholds"], r["width_bits"]]
        # Another version of yosys or ABC may find a few gates more or less.
        assert r["gates"] == pytest.approx(old["gates"], rel=0.05)
        assert (r["flip_flops"], r["cycles"]) == (old["flip_flops"], old["cycles"])
