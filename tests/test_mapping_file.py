"""Mappings in files: what was saved is what is loaded, for its own network and chip only."""

import json
from dataclasses import astuple, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import InputError
from sfnhw.mapping import Mapping, map_network
from sfnhw.network import Network
from sfnhw.neurons import SFN
from sfnhw.sim import simulate
from tests.networks import chain, random_activity, random_attention, random_network

REFERENCE = load_chip("reference")
PARTS = ("connections", "routes", "ready_routes")


def same(a, b):
    """Whether two mappings are equal to the last number and type."""
    assert (a.slices, a.demands, a.placer) == (b.slices, b.demands, b.placer)
    assert np.array_equal(a.terminals, b.terminals)
    assert a.terminals.dtype == b.terminals.dtype
    for part in PARTS:
        for f in fields(getattr(a, part)):
            x, y = getattr(getattr(a, part), f.name), getattr(getattr(b, part), f.name)
            assert np.array_equal(x, y), f"{part}.{f.name}"
            assert x.dtype == y.dtype, f"{part}.{f.name}"
    return True


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2]), st.integers(64, 300), st.integers(1, 4), st.booleans())
def test_any_mapping_survives_its_file_and_simulates_alike(tmp_path_factory, seed, T, neurons, tile, multicast):
    network = random_attention(seed) if seed % 4 == 0 else random_network(seed, T)
    cast = "multicast" if multicast else "unicast"
    chip = REFERENCE.replace({"core.neurons": neurons, "noc.cast": cast, "noc.cores_per_router": tile})
    mapping = map_network(network, chip)
    folder = tmp_path_factory.mktemp("mapping")
    network.save(folder / "net.sfn")
    mapping.save(folder / "m.npz")
    again = Mapping.load(folder / "m.npz", Network.load(folder / "net.sfn"), chip)
    assert same(mapping, again)
    activity = random_activity(network, seed, 1)
    one, two = (simulate(m, activity, fidelity="packet", threads=1) for m in (mapping, again))
    assert one.totals() == two.totals()
    for f in fields(one.timing):
        assert np.array_equal(getattr(one.timing, f.name), getattr(two.timing, f.name)), f.name


@pytest.mark.parametrize("objective", ["cores", "throughput"])
def test_a_file_knows_what_layers_were_cut_for_and_one_of_before_does_not(tmp_path, objective):
    network = chain([40, 64, 3])
    path = map_network(network, REFERENCE, objective=objective).save(tmp_path / "m.npz")
    assert Mapping.load(path, network, REFERENCE).objective == objective
    with np.load(path) as body:
        header = json.loads(body["header"].tobytes().decode())
    del header["objective"]
    rewrite(path, without=header)
    old = Mapping.load(path, network, REFERENCE)
    assert old.objective is None
    assert old.onto(network, REFERENCE).objective is None


@pytest.fixture
def case(tmp_path):
    network = chain([20, 300, 300, 3])
    mapping = map_network(network, REFERENCE)
    return network, mapping, mapping.save(tmp_path / "m.npz")


def test_equal_networks_have_equal_fingerprints_and_others_have_not(tmp_path):
    network = random_network(7)
    prints = {network.fingerprint(), Network.load(network.save(tmp_path / "n.sfn")).fingerprint()}
    assert len(prints) == 1
    renamed = Network(network.populations, network.projections, "another name", {"note": 1})
    assert renamed.fingerprint() in prints
    for i, p in enumerate(network.populations):
        scaled = replace(p, scale=p.scale * 1.5)
        populations = (*network.populations[:i], scaled, *network.populations[i + 1 :])
        if p.function != "max" and not any(q.kind == "max_pool" and q.source == p.name for q in network.projections):
            prints.add(Network(populations, network.projections).fingerprint())
    for i, q in enumerate(network.projections):
        if q.tensor_fields:
            other = replace(q, weight=q.weight + 1e-9)
            projections = (*network.projections[:i], other, *network.projections[i + 1 :])
            prints.add(Network(network.populations, projections).fingerprint())
    assert len(prints) > 4


def test_a_broadcast_weight_counts_as_what_it_holds():
    """One number seen many times is the same network as an array of it."""
    network = chain([30, 20, 2])
    thin = tuple(replace(p, weight=np.broadcast_to(1.0, p.weight.shape)) for p in network.projections)
    assert Network(network.populations, thin).fingerprint() == network.fingerprint()


def test_another_network_is_refused_by_what_differs(case):
    network, _, path = case
    last = network.projections[-1]
    retrained = Network(network.populations, (*network.projections[:-1], replace(last, weight=last.weight * 2)))
    with pytest.raises(
        InputError,
        match=r"m\.npz: the mapping is of another network \('chain'\), which differs in "
        r"projection 2 \(dense 'l2' → 'l3'\); map this one again",
    ):
        Mapping.load(path, retrained, REFERENCE)
    with pytest.raises(InputError, match=r"differs in population 'l1'"):
        Mapping.load(path, chain([20, 300, 300, 3], SFN.uniform(5)), REFERENCE)
    with pytest.raises(InputError, match=r"which has population 'l3', which this one lacks"):
        Mapping.load(path, chain([20, 300, 300]), REFERENCE)
    with pytest.raises(InputError, match=r"which lacks this one's population 'l4'"):
        Mapping.load(path, chain([20, 300, 300, 3, 3]), REFERENCE)


def test_another_chip_is_refused_by_the_field_and_other_prices_are_not(case):
    network, mapping, path = case
    with pytest.raises(InputError, match=r"for chip 'reference' with noc\.columns = 8, and chip 'reference' has 9"):
        Mapping.load(path, network, REFERENCE.replace({"noc.columns": 9}))
    dearer = REFERENCE.replace({"energy.compare.energy_pj": 3, "clock_mhz": 100})
    assert same(mapping, Mapping.load(path, network, dearer))
    assert Mapping.load(path, network, dearer).chip is dearer


def test_onto_takes_equal_networks_and_prices_only(case):
    network, mapping, _ = case
    dearer = REFERENCE.replace({"energy.compare.energy_pj": 3})
    twin = chain([20, 300, 300, 3])
    moved = mapping.onto(twin, dearer)
    assert moved.network is twin
    assert moved.chip is dearer
    with pytest.raises(InputError, match="another network"):
        mapping.onto(chain([20, 301, 300, 3]), REFERENCE)
    with pytest.raises(InputError, match=r"core\.axons"):
        mapping.onto(network, REFERENCE.replace({"core.axons": 5}))


def rewrite(path, header=None, without=None, **arrays):
    """Write a file again with other arrays, and with a header that is changed, or a whole new one (`without`)."""
    with np.load(path) as body:
        whole = {key: body[key] for key in body.files}
    if header:
        text = json.loads(whole["header"].tobytes().decode()) | header
        arrays["header"] = np.frombuffer(json.dumps(text).encode(), np.uint8)
    if without is not None:
        arrays["header"] = np.frombuffer(json.dumps(without).encode(), np.uint8)
    whole |= arrays
    np.savez(path, **{k: v for k, v in whole.items() if v is not None})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"header": {"format": "sfnhw.rates"}}, r"format: found 'sfnhw\.rates', expected 'sfnhw\.mapping'"),
        ({"header": {"version": 2}}, r"version: unknown version, found 2, expected 1"),
        ({"header": {"placer": 3}}, r"placer: found 3, expected a text"),
        ({"header": {"objective": "speed"}}, r"objective: found 'speed', expected one of cores, latency"),
        ({"header": {"network": 3}}, r"the header is malformed"),
        ({"terminals": None}, r"array 'terminals' is missing"),
        ({"terminals": np.zeros((2, 2))}, r"array 'terminals': found 'float64 of shape \(2, 2\)"),
        ({"terminals": np.full(6, 2**63, np.uint64)}, r"array 'terminals': found 9223372036854775808"),
        ({"slices": np.full((6, 5), 99)}, r"slice 0: found 99, expected a population from 0 to 3"),
        ({"slices": np.zeros((6, 5), int)}, r"not a valid mapping: arrays: slice 0: .* is no block of 'l0'"),
        ({"routes/parent": np.zeros(3, int)}, r"not a valid mapping: arrays: routes\.parent: 3 numbers"),
        ({"routes/children": np.full(10, 10**6)}, r"not a valid mapping: arrays"),
    ],
)
def test_a_bad_file_is_one_sentence(case, change, message):
    network, _, path = case
    rewrite(path, **change)
    with pytest.raises(InputError, match=message) as error:
        Mapping.load(path, network, REFERENCE)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_mapping_that_is_not_right_is_not_loaded(case):
    """Whole arrays, wrong content: two slices change places and the routes do not."""
    network, mapping, path = case
    at = mapping.terminals.copy()
    at[[1, 3]] = at[[3, 1]]
    rewrite(path, terminals=at)
    with pytest.raises(InputError, match=r"m\.npz: not a valid mapping: route: .*more\)"):
        Mapping.load(path, network, REFERENCE)


def test_other_files_are_refused(case, tmp_path):
    network, mapping, path = case
    with pytest.raises(InputError, match=r"none\.npz: no such file, expected a mapping file"):
        Mapping.load(tmp_path / "none.npz", network, REFERENCE)
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"m\.npz"):
            Mapping.load(path, network, REFERENCE)
    np.savez(path, header=np.array([{}], object))
    with pytest.raises(InputError, match="nothing is unpickled"):
        Mapping.load(path, network, REFERENCE)
    with pytest.raises(InputError, match=r"found 'm\.json', expected a name that ends in \.npz"):
        mapping.save(tmp_path / "m.json")
    (tmp_path / "m.npz").unlink()
    assert list(tmp_path.iterdir()) == [], "nothing is left beside"


def test_demands_are_saved_in_their_own_order(case):
    _, mapping, path = case
    with np.load(path) as body:
        assert body["demands"].tolist() == [list(astuple(d)) for d in mapping.demands]
