"""`sfnhw noc`: what it prints, writes and refuses."""

import json

import pytest

from sfnhw.cli.entry import main

FAST = ["--cycles", "400", "--warmup", "100", "--size", "4x4"]


def run(capsys, *arguments):
    code = main(["noc", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_run_as_text_and_as_json(capsys):
    code, out, _ = run(capsys, *FAST, "--rate", "0.2")
    assert code == 0
    assert "mean latency" in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = run(
        capsys, *FAST, "--rate", "0.2", "--topology", "torus", "--pattern", "hotspot", "--hotspot", "5:0.25",
        "--routing", "yx", "--packet-flits", "2", "--virtual-channels", "3", "--buffer-flits", "5", "--route-cycles", "0",
        "--vc-alloc-cycles", "2", "--switch-alloc-cycles", "3", "--switch-cycles", "4", "--link-cycles", "5",
        "--credit-cycles", "6", "--shared-vc", "any", "--seed", "7", "--fidelity", "packet", "--json",
    )  # fmt: skip
    assert code == 0
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["network"] == {
        "topology": "torus", "columns": 4, "rows": 4, "concentration_columns": 1, "concentration_rows": 1,
        "virtual_channels": 3, "buffer_flits": 5, "packet_flits": 2, "route_cycles": 0, "vc_alloc_cycles": 2,
        "switch_alloc_cycles": 3, "switch_cycles": 4, "link_cycles": 5, "credit_cycles": 6, "routing": "yx",
        "shared_vc": "any",
    }  # fmt: skip
    assert found["hotspots"] == [{"node": 5, "share": 0.25}]
    assert (found["seed"], found["fidelity"], found["measured_cycles"], found["warmup_cycles"]) == (
        7,
        "packet",
        400,
        100,
    )
    # 1 + 2 links in the mean; H·(0 + 2 + 3 + 4) + (H − 1)·5 + 3, and 4 for the second flit, as the switch is at
    # work for 4 cycles when it comes after 3.
    assert found["zero_load_latency_cycles"] == 3 * 9 + 2 * 5 + 3 + 4


@pytest.mark.parametrize(
    ("rate", "flits", "said"),
    [
        ("0.25", 4, "0.25 packets/node/cycle, 1 flits/node/cycle"),
        ("0.5", 3, "0.5 packets/node/cycle, 1.5 flits/node/cycle: more than a node can send, which is 1"),
        ("0.9", 1, "0.9 packets/node/cycle"),
    ],
)
def test_a_rate_in_packets_is_told_in_flits_and_lines_wrap(capsys, rate, flits, said):
    """Saturated, so that the last line is long; 0.5 packets of 3 flits are 1.5 flits."""
    few = ("--size", "6x4", "--cycles", "2000", "--warmup", "100", "--rate", rate, "--packet-flits", flits)
    code, out, _ = run(capsys, *map(str, few))
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    (start,) = [i for i, line in enumerate(lines) if line.startswith("offered")]
    (end,) = [i for i, line in enumerate(lines) if line.startswith("accepted")]
    assert " ".join(" ".join(lines[start:end]).split()) == f"offered {said}"
    assert "packets had not arrived, the mean is a lower bound" in " ".join(out.split())
    found = json.loads(run(capsys, *map(str, few), "--json")[1])
    assert found["offered_flits_per_node_cycle"] == pytest.approx(float(rate) * flits)


def test_a_burst(capsys):
    code, out, _ = run(capsys, "--size", "4x1", "--pattern", "bit-complement", "--burst", "1", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["makespan_cycles"] == 5 * 4 + 2  # end to end
    assert found["burst_packets_per_node"] == 1
    assert found["saturated"] is None
    code, out, _ = run(capsys, "--size", "4x1", "--burst", "3")
    assert "makespan" in out


def test_a_curve_with_its_figure(capsys, tmp_path):
    figure, folder = tmp_path / "curve.png", tmp_path / "curve"
    small = [*FAST[:4], "--size", "2x2", "--sweep"]
    code, out, err = run(capsys, *small, "-o", str(figure))
    assert code == 0
    assert "saturation:" in out
    assert figure.read_bytes()[:4] == b"\x89PNG"
    assert str(figure) in err
    code, out, _ = run(capsys, *small, "-o", str(folder), "--json")
    curve = json.loads(out, parse_constant=pytest.fail)
    assert json.loads((folder / "noc.json").read_text()) == curve
    assert {p.name for p in folder.iterdir()} == {"noc.json", "noc.svg", "noc.png"}
    rates = [p["rate_packets_per_node_cycle"] for p in curve["points"]]
    assert rates == sorted(rates)
    assert rates[-1] <= curve["saturation_rate_packets_per_node_cycle"]


@pytest.mark.parametrize("mode", [["--rate", "0.1", *FAST[:4]], ["--burst", "1"], ["--sweep", *FAST[:4]]])
def test_two_channels_of_a_torus_are_said_to_be_one_for_each_class(capsys, mode):
    torus = ["--size", "2x2", "--topology", "torus", "--virtual-channels"]
    found = json.loads(run(capsys, *mode, *torus, "2", "--json")[1])
    (note,) = found["notes"]
    out = run(capsys, *mode, *torus, "2")[1]
    assert f"note: {note}" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    assert json.loads(run(capsys, *mode, *torus, "3", "--json")[1])["notes"] == []
    assert "note:" not in run(capsys, *mode, *torus, "3")[1]


def test_a_curve_that_never_saturates(capsys):
    # One node that sends to itself over three virtual channels takes a flit each cycle.
    code, out, _ = run(capsys, "--size", "1x1", "--cycles", "200", "--warmup", "50", "--sweep", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["saturates"] is False
    assert found["saturation_rate_packets_per_node_cycle"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "8"], "--size"),
        (["--size", "0x4"], "--size"),
        (["--size", "8x4", "--pattern", "transpose"], "--pattern"),
        (["--topology", "ring"], "--topology"),
        (["--topology", "torus", "--virtual-channels", "1"], "--virtual-channels"),
        (["--shared-vc", "any"], "--shared-vc"),
        (["--topology", "torus", "--virtual-channels", "3", "--shared-vc", "none"], "--shared-vc"),
        (["--topology", "cmesh", "--size", "5x4"], "--size"),
        (["--concentration", "2x2"], "--concentration"),
        (["--rate", "1.1"], "--rate"),
        (["--rate", "nan"], "--rate"),
        (["--rate", "many"], "--rate"),
        (["--hotspot", "3"], "--hotspot"),
        (["--hotspot", "3:0.5"], "--hotspot"),
        (["--pattern", "hotspot", "--hotspot", "3:0.5", "--hotspot", "3:0.1"], "--hotspot"),
        (["--pattern", "hotspot", "--hotspot", "99:0.5"], "--hotspot"),
        (["--buffer-flits", "0"], "--buffer-flits"),
        (["--fidelity", "exact"], "--fidelity"),
        (["--cycles", "0"], "--cycles"),
        (["--burst", "0"], "--burst"),
        (["--burst", "2", "--rate", "0.1"], "--rate"),
        (["--burst", "2", "--cycles", "10"], "--cycles"),
        (["--burst", "2", "--sweep"], "--sweep"),
        (["--sweep", "--rate", "0.1"], "--rate"),
        (["-o", "curve.png"], "--output"),
        (["--sweep", "-o", "curve.txt"], "output"),
    ],
)
def test_what_cannot_be_is_one_sentence(capsys, arguments, said):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("sfnhw: error: ")
    assert said in err
    assert err.count("\n") == 1
