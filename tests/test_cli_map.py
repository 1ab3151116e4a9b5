"""`sfnhw map`, and `sfnhw estimate --mapping`: what they print and keep, and what they refuse."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sfnhw.chip import load_chip
from sfnhw.cli import main
from sfnhw.errors import InputError, MappingError
from sfnhw.estimate import estimate
from sfnhw.mapping import Mapping, Verification, Violation, map_network
from sfnhw.mapping.quality import quality
from sfnhw.network import Network
from sfnhw.neurons import SFN, Events
from sfnhw.record import record
from sfnhw.timesteps import OPEN
from tests.command_line import write_case
from tests.networks import chain, random_attention, random_inputs, random_network

REFERENCE = load_chip("reference")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = write_case(tmp_path_factory.mktemp("map"))
    chain([20, 300, 300, 3]).save(folder / "chain.sfn")
    return folder


@pytest.fixture
def run(capsys):
    """Run the command line in this process: (exit code, standard output, standard error)."""

    def call(*arguments):
        code = main([str(a) for a in arguments])
        return (code, *capsys.readouterr())

    return call


def test_map_prints_saves_and_verifies(given, run):
    code, out, err = run("map", given / "chain.sfn", "-o", given / "m.npz", "--verify")
    assert code == 0, err
    text = " ".join(out.split())
    assert "chain on reference: 5 of 64 cores, at 5 of 64 routers, hold 6 slices" in text
    # Fullest: a slice of l2, 300 × 150 weights of 8 bits: 360,000 of 524,288 bits is the fullest core.
    assert "524,288 360,000 (69%)" in text
    assert "2 300 720,000" in text
    assert "verified: 623 neurons in 6 slices on 5 cores" in text
    assert f"mapping: {given / 'm.npz'}" in err
    assert max(map(len, out.splitlines())) <= 80
    saved = Mapping.load(given / "m.npz", Network.load(given / "chain.sfn"), REFERENCE)
    assert saved.cores_used == 5


def test_map_weighs_by_what_spikes_and_never_worse_than_bound(given, run):
    """The same numbers as `quality` on a recording; a search of the same seed repeats itself, and is told its moves."""
    options = ("--placer", "annealed", "--seed", 3, "--moves", 500, "--json")
    found = []
    for more in (("--inputs", given / "in.npz"), ()):
        code, out, err = run("map", given / "net.sfn", *options, *more)
        assert code == 0, err
        assert out == run("map", given / "net.sfn", *options, *more)[1]
        found.append(json.loads(out))
    network = Network.load(given / "net.sfn")
    activity = record(network, np.load(given / "in.npz")["inputs"], numerics=REFERENCE.numerics).activity
    for page, spikes, weighed in zip(
        found, (activity, None), ("the activity", "one packet from each neuron"), strict=True
    ):
        mapping = map_network(network, REFERENCE, placer="annealed", activity=spikes, seed=3, moves=500)
        best = quality(mapping, spikes)
        rows = {row["quantity"]: row for row in page["bounds"]}
        assert rows["flits over links"]["achieved"] == best.traffic_links / best.samples
        assert rows["flits over links"]["bound"] == best.traffic_bound / best.samples
        assert rows["flits over the fullest link"]["achieved"] == best.worst_link_load / best.samples
        assert rows["cores"]["achieved"] == mapping.cores_used
        assert all(row["ratio"] is None or row["ratio"] >= 1 for row in page["bounds"])
        assert page["weighed_by"] == weighed
    assert found[0]["bounds"] != found[1]["bounds"]


def test_map_as_json_has_what_the_text_has(given, run):
    code, out, _ = run("map", given / "chain.sfn", "--json", "--verify", "--pin", "l3=9", "--pin", "l1=5,6")
    assert code == 0
    found = json.loads(out)
    mapping = map_network(Network.load(given / "chain.sfn"), REFERENCE, pins={"l3": 9, "l1": [5, 6]})
    assert found["fits"] is True
    layers = {row["name"]: row for row in found["layers"]}
    assert layers["l1"]["cores"] == [5, 6]
    assert layers["l3"]["cores"] == [9]
    pins = {"name": "l0", "slices": 1, "neurons": 20, "weight_bits": 0, "cores": [], "unit": None, "cycles": None}
    assert layers["l0"] == pins
    assert found["cores_used"] == mapping.cores_used
    for row in found["limits"]:
        used = [getattr(d, row["limit"]) for d in mapping.occupancy() if d.neurons]
        assert row["largest"] == max(used)
        assert row["mean"] == pytest.approx(np.mean(used))
        assert row["largest_share"] == max(used) / row["capacity"]
    assert found["routes"]["links"] == sum(link >= 0 for link in mapping.routes.link)
    depth = {n: 0 for n in range(len(mapping.routes)) if mapping.routes.parent[n] < 0}
    for n, parent in enumerate(mapping.routes.parent.tolist()):  # a parent stands before its children
        if parent >= 0:
            depth[n] = depth[parent] + 1
    assert found["routes"]["longest_hops"] == max(depth.values())
    assert found["verification"]["ok"] is True
    assert found["verification"]["violations"] == []
    assert found["file"] is None


def test_a_placement_from_a_file(given, run):
    (given / "p.yaml").write_text("placement:\n  l1: [1, 2]\n  l2: [4, 3]\n  l3: 9\n")
    code, out, _ = run("map", given / "chain.sfn", "--placement", given / "p.yaml", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["placer"] == "given"
    assert [row["cores"] for row in found["layers"]] == [[], [1, 2], [4, 3], [9]]


def test_what_does_not_fit_is_a_result(given, run):
    """Text and JSON say the same: limit, layer, demand, capacity, gap, what it is made of, what would help."""
    arguments = ("map", given / "chain.sfn", "--set", "noc.columns=2", "--set", "noc.rows=1", "--json")
    code, out, err = run(*arguments)
    assert code == 2
    found = json.loads(out)
    assert found["fits"] is False
    assert (found["layer"], found["resource"]) == (None, "noc.columns × noc.rows")
    # 150 neurons four times, and the readout's 3 beside one of them.
    assert (found["demand"], found["capacity"], found["gap"], found["unit"]) == (4, 2, 2, "cores")
    assert "2 slices of layer 'l1'" in found["terms"]
    assert "a mesh of 2 columns × 2 rows" in found["levers"]
    for part in ("needs 4 cores", "gives 2", "2 short", *found["terms"], *found["levers"]):
        assert part in err
    code, out, err = run(*arguments[:-1])
    assert (code, out) == (2, "")


CASES = [
    (chain([70_000, 2]), {}, "core.weight_memory.kib", 560_000),
    (chain([4, 4, 2]), {"core.threshold_unit.registers": 3}, "core.threshold_unit.registers", 4),
    (
        chain([4, 4, 2], SFN.uniform(400)),
        {"core.threshold_unit.sharing": "neuron", "core.state_memory.kib": 1},
        "core.state_memory.kib",
        None,
    ),
    (chain([300, 4, 2]), {"core.axon_sharing": "neuron", "core.axons": 200}, "core.axons", 300),
    (random_attention(0), {"core.function_unit.lanes": 0}, "core.function_unit.lanes", 1),
    (random_attention(1), {"core.neurons": 1}, "core.neurons", None),
    (chain([4, 4, 2]), {"noc.columns": 1, "noc.rows": 1, "core.neurons": 4}, "noc.columns × noc.rows", 2),
    (chain([4, 4, 2]), {"core.threshold_unit.most_thresholds": 1}, "core.threshold_unit.most_thresholds", 4),
]


@pytest.mark.parametrize(("network", "changes", "resource", "demand"), CASES)
def test_every_failure_says_all_there_is(network, changes, resource, demand):
    with pytest.raises(MappingError) as error:
        map_network(network, REFERENCE.replace(changes))
    found = error.value.as_json()
    assert found["resource"] == resource
    assert found["gap"] == found["demand"] - found["capacity"] > 0
    if demand is not None:
        assert found["demand"] == demand
    assert found["unit"]
    assert found["terms"]
    assert found["levers"]


@pytest.mark.parametrize("lever", ["core.weight_memory.kib", "core.threshold_unit.registers", "core.axons"])
def test_a_lever_that_names_a_number_is_enough_and_not_one_too_much(lever):
    """What the error says would make it fit does, and one less does not."""
    network, changes = {
        "core.weight_memory.kib": (chain([70_000, 2]), {}),
        "core.threshold_unit.registers": (chain([4, 4, 2]), {"core.threshold_unit.registers": 3}),
        "core.axons": (chain([300, 4, 2]), {"core.axon_sharing": "neuron", "core.axons": 200}),
    }[lever]
    with pytest.raises(MappingError) as error:
        map_network(network, REFERENCE.replace(changes))
    (text,) = [text for text in error.value.levers if text.startswith(f"raise {lever} to ")]
    value = int(text.rpartition(" ")[2].replace(",", ""))
    map_network(network, REFERENCE.replace(changes | {lever: value}))
    with pytest.raises(MappingError):
        map_network(network, REFERENCE.replace(changes | {lever: value - 1}))


def test_estimate_with_a_saved_mapping(given):
    """The same numbers as the same placement made anew, other prices allowed; baselines map by themselves."""
    network = Network.load(given / "chain.sfn")
    inputs = random_inputs(network, 1)
    kwargs = {"fidelity": "analytic", "baselines": ["mtn"]}
    map_network(network, REFERENCE, placement=[9, 3, 60, 17, 5]).save(given / "far.npz")
    one = estimate(network, "reference", inputs, mapping=given / "far.npz", **kwargs)
    assert one.mapping.terminals[1:].tolist() == [9, 3, 60, 17, 5]
    assert one.provenance["placer"] == "given"
    assert one.baselines["mtn"].mapping.placer == "hilbert"
    again = estimate(network, "reference", inputs, mapping=one.mapping, **kwargs)
    assert again.result.totals() == one.result.totals()
    near = estimate(network, "reference", inputs, **kwargs)
    assert near.result.totals()["link_flit"] < one.result.totals()["link_flit"]
    dearer = REFERENCE.replace({"energy.router_flit.energy_pj": 50})
    more = estimate(network, dearer, inputs, mapping=one.mapping, **kwargs)
    assert more.cost.total.as_joules()["value"] > one.cost.total.as_joules()["value"]
    with pytest.raises(InputError, match=r"the mapping is for chip 'reference' with noc\.rows = 8, and .* has 9"):
        estimate(network, REFERENCE.replace({"noc.rows": 9}), inputs, mapping=one.mapping, **kwargs)
    with pytest.raises(InputError, match=r"mapping: found 'int', expected a sfnhw.Mapping"):
        estimate(network, REFERENCE, inputs, mapping=3, **kwargs)


def test_a_split_on_the_command_line(given, run):
    code, out, _ = run("map", given / "chain.sfn", "--split", "l1=3x1", "--pin", "l1=4,5,6", "--json")
    assert code == 0
    assert {row["name"]: row["cores"] for row in json.loads(out)["layers"]}["l1"] == [4, 5, 6]


def test_timesteps_that_follow_the_inputs(given, run):
    """Mapped over the T of the inputs, a mapping is theirs; over another T it is refused by T."""
    network = random_network(11, 2, window=False)
    image = replace(network.populations[0], coding=Events(2), scale=np.ones(1))
    events = Network((image, *network.populations[1:]), network.projections, "events", {OPEN: True})
    events.save(given / "events.sfn")
    inputs = (np.random.default_rng(0).random((2, 5, *image.shape)) < 0.3).astype(float)
    for T in (5, 4):
        assert run("map", given / "events.sfn", "--timesteps", T, "-o", given / f"t{T}.npz")[0] == 0
    common = {"fidelity": "analytic", "baselines": []}
    assert estimate(given / "events.sfn", inputs=inputs, mapping=given / "t5.npz", **common).network.timesteps == 5
    with pytest.raises(InputError, match=r"t4\.npz: .* over T = 4 timesteps, and this one has T = 5; map it again"):
        estimate(given / "events.sfn", inputs=inputs, mapping=given / "t4.npz", **common)
    code, _, err = run("map", given / "chain.sfn", "--timesteps", 3)
    assert code == 2
    assert "--timesteps: the network's T does not follow its inputs, found 3, expected 1" in err


@pytest.mark.slow
def test_the_command_line_estimates_with_a_saved_mapping(given, run):
    net, inputs = given / "net.sfn", given / "in.npz"
    assert run("map", net, "--placer", "sequential", "-o", given / "s.npz")[0] == 0
    common = ("estimate", net, "--inputs", inputs, "--fidelity", "analytic", "--json", "--baselines", "none")
    code, out, err = run(*common, "--mapping", given / "s.npz", "-o", given / "one")
    assert code == 0, err
    one = json.loads(out)
    two = json.loads(run(*common, "--placer", "sequential", "-o", given / "two")[1])
    assert one["energy_per_inference_j"] == two["energy_per_inference_j"]
    assert one["provenance"]["placer"] == "sequential"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("map", "none.sfn"), "none.sfn: no such file"),
        (("map", "chain.sfn", "--placer", "hilbrt"), "--placer: found 'hilbrt'"),
        (("map", "chain.sfn", "--pin", "l1"), "--pin: found 'l1', expected LAYER=CORE[,CORE..] such as conv1=3,4"),
        (("map", "chain.sfn", "--pin", "l1=a"), "--pin: found 'l1=a'"),
        (("map", "chain.sfn", "--pin", "l1=1,2", "--pin", "l1=3,4"), "--pin: l1 is given twice"),
        (("map", "chain.sfn", "--pin", "l1=99,1"), "--pin l1: no such core, found 99"),
        (("map", "chain.sfn", "--pin", "l1=1,1"), "--pin: core 1 would need 300 neurons, core.neurons gives 256"),
        (
            ("map", "chain.sfn", "--split", "l1=2"),
            "--split: found 'l1=2', expected LAYER=CHANNELSxROWS such as conv1=2x1",
        ),
        (("map", "chain.sfn", "--split", "l1=0x1"), "--split l1: found (0, 1)"),
        (("map", "chain.sfn", "--placement", "no.yaml"), "no.yaml: cannot be read"),
        (
            ("map", "chain.sfn", "--placement", "no.yaml", "--placer", "hilbert"),
            "--placement: says where everything is",
        ),
        (
            ("map", "chain.sfn", "--placement", "no.yaml", "--pin", "l1=1,2"),
            "--pin: a placement says where everything is",
        ),
        (("map", "chain.sfn", "-o", "m.json"), "output: found 'm.json', expected a name that ends in .npz"),
        (("estimate", "net.sfn", "--inputs", "in.npz", "--mapping", "none.npz", "-o", "r"), "none.npz: no such file"),
        (
            ("estimate", "net.sfn", "--inputs", "in.npz", "--mapping", "c.npz", "-o", "r"),
            "c.npz: the mapping is of another network ('chain'), which has population 'l0', which this one lacks",
        ),
        (
            (
                "estimate",
                "net.sfn",
                "--inputs",
                "in.npz",
                "--mapping",
                "c.npz",
                "-o",
                "r",
                "--baselines",
                "none",
                "--placer",
                "hilbert",
            ),
            "--placer: the network is mapped, and there are no baselines to place",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(given, run, monkeypatch, arguments, message):
    monkeypatch.chdir(given)
    if not (given / "c.npz").exists():
        map_network(Network.load(given / "chain.sfn"), REFERENCE).save(given / "c.npz")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_map_cuts_for_an_objective(given, run):
    code, out, err = run("map", given / "chain.sfn", "--objective", "throughput", "--json", "--verify")
    assert code == 0, err
    found, plain = json.loads(out), json.loads(run("map", given / "chain.sfn", "--json")[1])
    assert (found["objective"], plain["objective"]) == ("throughput", "cores")
    assert found["bottleneck"]["cycles"] < plain["bottleneck"]["cycles"]
    assert found["cores_used"] > plain["cores_used"]
    text = " ".join(run("map", given / "chain.sfn")[1].split())
    there = plain["bottleneck"]
    assert f"bottleneck: core {there['core']} ({there['layers'][0]}), {there['cycles']:,.0f} cycles of its" in text
    code, _, err = run("map", given / "chain.sfn", "--objective", "latncy")
    assert code == 2
    assert "--objective: found 'latncy'" in err
    assert "did you mean 'latency'" in err


def test_a_mapping_that_does_not_hold_is_told_and_not_kept(given, run, monkeypatch):
    wrong = Verification((Violation("route", "slice 1", "goes astray"),))
    monkeypatch.setattr("sfnhw.mapping.verify", lambda mapping: wrong)
    target = given / "astray.npz"
    code, out, err = run("map", given / "chain.sfn", "--verify", "--json", "-o", target)
    assert code == 2
    assert err == "sfnhw: error: the mapping is not valid, and not saved: 1 violations\n"
    found = json.loads(out)
    assert found["file"] is None
    assert found["verification"]["ok"] is False
    assert not target.exists()
    assert "mapping:" not in run("map", given / "chain.sfn", "--verify", "-o", target)[2]


@pytest.mark.parametrize("text", ["st\x1b[31mem=1", "a\u202eb=1"])
def test_errors_show_no_control_characters(given, run, text):
    code, _, err = run("map", given / "chain.sfn", "--pin", text)
    assert code == 2
    assert err.endswith("\n")
    assert err[:-1].isprintable()


@pytest.mark.parametrize(("option", "said"), [({"moves": 5}, "tries none"), ({"seed": 3}, "draws nothing")])
def test_what_a_placer_does_not_use_is_refused(option, said):
    network = chain([4, 4, 2])
    with pytest.raises(InputError, match=f"placer hilbert {said}"):
        map_network(network, REFERENCE, **option)
    assert map_network(network, REFERENCE, placer="annealed", **option).placer == "annealed"
