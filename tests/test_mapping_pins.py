"""A user's own decisions are kept, and one that cannot be is told with its place in the file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnhw.chip import load_chip
from sfnhw.errors import InputError, MappingError
from sfnhw.mapping import map_network, verify
from sfnhw.mapping.placement import Mesh, Problem
from tests.nets import nets_of
from tests.networks import chain, random_attention, random_network

REFERENCE = load_chip("reference").replace({"core.neurons": 150})
NETWORK = chain([20, 300, 300, 3])  # l1 and l2 take two cores each


def cores(mapping, layer):
    return [int(mapping.terminals[s.index]) for s in mapping.slices_of(layer)]


def test_pinned_slices_are_where_they_are_pinned_and_the_rest_around_them():
    mapping = map_network(NETWORK, REFERENCE, pins={"l1": [63, 0], "l3": 17})
    assert (cores(mapping, "l1"), cores(mapping, "l3")) == ([63, 0], [17])
    assert mapping.cores_used == 5
    assert mapping.placer == "hilbert"
    assert verify(mapping).ok


def test_one_slice_may_be_pinned_alone():
    assert cores(map_network(NETWORK, REFERENCE, pins={"l2[1]": 40}), "l2")[1] == 40


def test_a_layer_whose_name_looks_like_a_slice_is_the_layer():
    """A population may be called l1[0]; then that is what its name means."""
    network = random_network(4)
    name = network.populations[1].name
    assert cores(map_network(network, load_chip("reference"), pins={f"{name}[0]": 9}), name)[0] == 9


def test_the_whole_placement_by_name_in_order_and_from_a_file(tmp_path):
    by_name = {"l1": [1, 2], "l2": [4, 3], "l3": 9}
    one = map_network(NETWORK, REFERENCE, placement=by_name)
    assert [cores(one, name) for name in ("l1", "l2", "l3")] == [[1, 2], [4, 3], [9]]
    assert one.placer == "given"
    two = map_network(NETWORK, REFERENCE, placement=[1, 2, 4, 3, 9])
    (tmp_path / "p.yaml").write_text("placement:\n  l1: [1, 2]\n  l2: [4, 3]\n  l3: 9\n")
    (tmp_path / "p.json").write_text('{"placement": [1, 2, 4, 3, 9]}')
    others = [two, *(map_network(NETWORK, REFERENCE, placement=tmp_path / f) for f in ("p.yaml", "p.json"))]
    assert all(np.array_equal(one.terminals, other.terminals) for other in others)
    assert all(verify(m).ok for m in (one, *others))


def test_slices_share_a_core_where_the_user_says_so():
    """150 + 3 neurons on one core of 256, though 59 are free."""
    chip = load_chip("reference").replace({"core.neurons": 256})
    mapping = map_network(chain([20, 150, 3]), chip, placement={"l1": 5, "l2": 5})
    assert mapping.cores_used == 1
    assert verify(mapping).ok


def test_a_full_chip_packs_around_the_pins():
    """Three cores for four slices: the readout shares, and l2 stays where it is pinned."""
    chip = load_chip("reference").replace({"noc.columns": 3, "noc.rows": 1})
    mapping = map_network(chain([4, 200, 200, 200, 3]), chip, pins={"l2": 0, "l4": 0})
    assert cores(mapping, "l2") == cores(mapping, "l4") == [0]
    assert verify(mapping).ok


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(64, 300), st.integers(1, 3), st.data())
def test_any_placement_can_be_given_again(seed, neurons, tile, data):
    """What one mapping has, another is told: routes and all are equal. And any pins that fit are kept."""
    network = random_network(seed)
    chip = REFERENCE.replace({"core.neurons": neurons, "noc.cores_per_router": tile})
    first = map_network(network, chip)
    where = [int(t) for t in first.terminals if t != first.io]
    again = map_network(network, chip, placement=where)
    assert np.array_equal(first.routes.link, again.routes.link)
    assert np.array_equal(first.terminals, again.terminals)
    place = data.draw(st.permutations(range(chip.cores)))
    names = data.draw(st.sets(st.sampled_from([p.name for p in network.populations if p.role != "input"]), min_size=1))
    pins, used = {}, 0
    for name in sorted(names):
        count = len(first.slices_of(name))
        pins[name] = place[used : used + count]
        used += count
    pinned = map_network(network, chip, pins=pins)
    assert {name: cores(pinned, name) for name in pins} == pins
    assert verify(pinned).ok


@given(st.integers(1, 12), st.data())
def test_groups_on_pins_change_places_with_who_is_there(groups, data):
    places = st.permutations(range(groups + 3))
    cores_of = np.array(data.draw(places)[:groups])
    fixed = np.where(
        data.draw(st.lists(st.booleans(), min_size=groups, max_size=groups)), data.draw(places)[:groups], -1
    )
    problem = Problem(Mesh(groups + 3, 1, 1, 0), nets_of(groups, []), fixed)
    put = problem.seated(cores_of)
    assert len(set(put.tolist())) == groups
    assert (put[fixed >= 0] == fixed[fixed >= 0]).all()
    stay = (fixed < 0) & ~np.isin(cores_of, fixed)
    assert (put[stay] == cores_of[stay]).all(), "who is on nobody's pin stays"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"pins": {"l4": 1}},
            r"pins\.l4: no layer of that name, expected one of l0, l1, l2, l3",
        ),
        ({"pins": {"l0": 1}}, r"pins\.l0: an input enters at the pins of the chip"),
        ({"pins": {"l1": [3, 64]}}, r"pins\.l1: no such core, found 64, expected a core of 'reference', 0 to 63"),
        ({"pins": {"l1": [3, -1]}}, r"pins\.l1: no such core, found -1"),
        ({"pins": {"l1": [3, True]}}, r"pins\.l1: no such core, found True"),
        ({"pins": {"l1": "3"}}, r"pins\.l1: no such core, found '3'"),
        (
            {"pins": {"l1": 3}},
            r"pins\.l1: 2 slices, and 1 core given, found 3, expected 2 cores, one for each slice in order",
        ),
        ({"pins": {"l1": [3, 4, 5]}}, r"pins\.l1: 2 slices, and 3 cores given"),
        ({"pins": {"l3": [3, 4]}}, r"pins\.l3: 1 slice, and 2 cores given, found \[3, 4\], expected 1 core, "),
        ({"pins": {"l1[2]": 3}}, r"pins\.l1\[2\]: no such slice, found 2, expected 'l1' has slices 0 to 1"),
        ({"pins": {"l1": [3, 4], "l1[0]": 5}}, r"pins\.l1\[0\]: slice 'l1\[0\]' is given twice"),
        (
            {"pins": {"l1": [7, 7]}},
            r"pins: core 7 would need 300 neurons, core\.neurons gives 150 \(150 short\): "
            r"150 of l1\[0\], 150 of l1\[1\]",
        ),
        ({"pins": [3]}, r"pins: found \[3\], expected a mapping from layers to cores"),
        ({"placement": {"l1": [1, 2], "l3": 4}}, r"placement: slice 'l2\[0\]' has no core"),
        ({"placement": [1, 2, 3]}, r"placement: 3 cores, expected 5, one a slice: 2 of 'l1', 2 of 'l2', 1 of 'l3'"),
        ({"placement": [1, 2, 3, 4, 64]}, r"placement\[4\]: no such core, found 64"),
        ({"placement": 3}, r"placement: found 3, expected layers to cores, or a list of cores"),
        ({"placement": [1, 2, 3, 4, 5], "pins": {"l3": 5}}, r"pins: a placement says where everything is"),
        ({"placement": [1, 2, 3, 4, 5], "placer": "sequential"}, r"placer: a placement says where everything is"),
    ],
)
def test_a_decision_that_cannot_be_is_one_sentence(given, message):
    with pytest.raises(InputError, match=message):
        map_network(NETWORK, REFERENCE, **given)


def test_one_threshold_table_serves_one_layer():
    chip = load_chip("reference").replace({"core.threshold_unit.sharing": "core"})
    with pytest.raises(InputError, match=r"core 5 has one threshold table .*, and l1, l2 need several"):
        map_network(chain([4, 5, 5, 3]), chip, pins={"l1": 5, "l2": 5})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("placement:\n  l1: [1, 2]\n  l9: 3\n", r"p\.yaml:3:3: placement\.l9: no layer of that name"),
        ("placement:\n  l1: [1, 2]\n  l2: [3, 99]\n  l3: 4\n", r"p\.yaml:3:3: placement\.l2: no such core, found 99"),
        ("placement:\n  l1: [1, 2]\n  l2: [1, 3]\n  l3: 4\n", r"p\.yaml:3:3: placement: core 1 would need 300 neurons"),
        ("placement:\n  l1: [1, 2]\n", r"p\.yaml:1:1: placement: slice 'l2\[0\]' has no core"),
        ("placement: [1, 2]\n", r"p\.yaml:1:1: placement: 2 cores, expected 5, one a slice"),
        ("placement: 7\n", r"p\.yaml:1:\d+: placement: found 7, expected a mapping with one key"),
        ("pins:\n  l1: 3\n", r"p\.yaml:1: not a placement, found \['pins'\]"),
        ("placement: [1\n", r"p\.yaml:\d+:\d+: not valid YAML"),
    ],
)
def test_a_file_is_told_by_its_line(tmp_path, text, message):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        map_network(NETWORK, REFERENCE, placement=tmp_path / "p.yaml")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read \(No such file"):
        map_network(NETWORK, REFERENCE, placement=str(tmp_path / "none.yaml"))


# Cores that hold any layer of these networks whole: a part beyond a core's limits is refused, which is another test.
ROOMY = load_chip("reference").replace(
    {
        "core.neurons": 1 << 14,
        "core.axons": 1 << 14,
        "core.weight_memory.kib": 1 << 14,
        "core.state_memory.kib": 1 << 10,
        "core.threshold_unit.registers": 1 << 14,
    }
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.data())
def test_a_split_is_kept_and_the_mapping_is_right(seed, attention, data):
    """So many parts of the channels × parts of the rows, of sizes that differ by one at most."""
    network = random_attention(seed) if attention else random_network(seed)
    layer = data.draw(st.sampled_from([p for p in network.populations if p.role != "input"]))
    whole = layer.function == "layer_norm"
    parts_c = data.draw(st.integers(1, 1 if whole else min(layer.channels, 4)))
    parts_r = data.draw(st.integers(1, min(layer.rows, 4)))
    mapping = map_network(network, ROOMY, splits={layer.name: (parts_c, parts_r)})
    blocks = [s.block for s in mapping.slices_of(layer.name)]
    assert len(blocks) == parts_c * parts_r
    assert {b.channels for b in blocks} <= {layer.channels // parts_c, -(-layer.channels // parts_c)}
    assert {b.rows for b in blocks} <= {layer.rows // parts_r, -(-layer.rows // parts_r)}
    found = verify(mapping)
    assert found.ok, found.summary()


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"l9": (1, 1)}, r"splits\.l9: no such layer on cores, expected one of l1, l2, l3"),
        ({"l0": (1, 1)}, r"splits\.l0: no such layer on cores"),
        (
            {"l3": (4, 1)},
            r"splits\.l3: found \(4, 1\), expected \(1 to 3 parts of its channels, 1 to 1 parts of its rows\)",
        ),
        ({"l3": (1, 2)}, r"splits\.l3: found \(1, 2\)"),
        ({"l3": (0, 1)}, r"splits\.l3: found \(0, 1\)"),
        ({"l3": (1.0, 1)}, r"splits\.l3: found \(1\.0, 1\)"),
        ({"l3": 2}, r"splits\.l3: found 2"),
        ([1], r"splits: found \[1\]"),
    ],
)
def test_a_split_that_cannot_be_is_one_sentence(splits, message):
    with pytest.raises(InputError, match=message):
        map_network(NETWORK, REFERENCE, splits=splits)


def test_a_part_that_does_not_fit_is_told_with_more_parts_as_a_way():
    with pytest.raises(MappingError) as error:
        map_network(NETWORK, REFERENCE, splits={"l1": (1, 1)})
    assert "needs 300 neurons in a part of the given split (300 channels × 1 row)" in str(error.value)
    assert "more parts in its split" in error.value.levers
