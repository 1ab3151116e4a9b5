"""Every bad chip file of the issue, with the exact sentence that the user reads."""

from importlib import resources

import pytest

from sfnhw.chip import load_chip, preset_names
from sfnhw.errors import ChipError

REFERENCE = (resources.files("sfnhw.chips") / "reference.yaml").read_text(encoding="utf-8")
ACTIONS = (
    "axon_lookup, decode_read, weight_read, weight_write, accumulate, multiply_bit, shift_bit, state_read, state_write, "
    "neuron_update, threshold_read, compare, encode, requantise, gelu, softmax, layer_norm, leak, spike, packet, "
    "injection, barrier, router_flit, link_flit, io_bit, link_flit_vertical, off_chip_bit, "
    "packing_flit"
)
PRESETS = ", ".join(preset_names())
IO_BIT = "base: reference\nenergy:\n  io_bit:\n"
PRICE = "    energy_pj: 2\n    low_pj: 1\n    high_pj: 3\n"


@pytest.fixture
def message(tmp_path, monkeypatch):
    """Return the message for a chip file with this content."""
    monkeypatch.chdir(tmp_path)

    def load(content):
        (tmp_path / "c.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ChipError) as error:
            load_chip("c.yaml")
        return str(error.value)

    return load


def line_of(text):
    """Line of the first line of the reference that starts with `text`."""
    return next(i for i, line in enumerate(REFERENCE.splitlines(), 1) if line.startswith(text))


def test_a_misspelt_key(message):
    line = line_of("  threshold_unit:") + 1
    assert message(REFERENCE.replace("    kind: parallel", "    knid: parallel")) == (
        f"c.yaml:{line}:5: core.threshold_unit.knid: unknown field, "
        "expected one of kind, lanes, update_cycles, spike_cycles, waits_for_port, most_thresholds, registers, register_bits, sharing (did you mean 'kind'?)"
    )


def test_a_missing_key(message):
    expected = "noc.columns: missing, expected a whole number from 1 to 1024 (routers)"
    assert message(REFERENCE.replace("  columns: 8\n", "")) == f"c.yaml:{line_of('noc:')}:1: {expected}"


# The second line of each small file holds what is wrong.
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "core: {weight_memory: {kib: -64}}",
            "c.yaml:2:29: core.weight_memory.kib: found -64, expected a whole number from 1 to 65536 (KiB)",
        ),
        ("noc: {columns: 0}", "c.yaml:2:16: noc.columns: found 0, expected a whole number from 1 to 1024 (routers)"),
        ("noc: {columns: eight}", "c.yaml:2:16: noc.columns: found 'eight', expected a whole number from 1 to 1024 (routers)"),
        ("noc: {columns: 8.0}", "c.yaml:2:16: noc.columns: found 8.0, expected a whole number from 1 to 1024 (routers)"),
        ("noc: {columns: true}", "c.yaml:2:16: noc.columns: found True, expected a whole number from 1 to 1024 (routers)"),
        ("noc: {columns: }", "c.yaml:2:15: noc.columns: found nothing, expected a whole number from 1 to 1024 (routers)"),
        ("noc: {columns: 1e999}", "c.yaml:2:16: noc.columns: found 1e999, expected a whole number from 1 to 1024 (routers)"),
        ("clock_mhz: -1e400", "c.yaml:2:12: clock_mhz: found -1e400, expected a number from 0.001 to 10000 (MHz)"),
        (f"noc: {{columns: {10**70}}}", f"c.yaml:2:16: noc.columns: found {10**70}, expected a whole number from 1 to 1024 (routers)"),
        (f"noc: {{columns: {10**400}}}", f"c.yaml:2:16: noc.columns: found {str(10**400)[:79]}…, expected a whole number from 1 to 1024 (routers)"),
        ("execution: {barrier_cycles: {}}", "c.yaml:2:13: execution.barrier_cycles: found an empty mapping, expected a whole number from 0 to 1000000 (cycles), or a table of such numbers by whole numbers ≥ 1, each once"),
        ("execution: {barrier_cycles: {1: 5, 1: 6}}", "c.yaml:2:36: execution.barrier_cycles.1: the key stands twice, in line 2"),
        ("clock_mhz: .inf", "c.yaml:2:12: clock_mhz: found inf, expected a number from 0.001 to 10000 (MHz)"),
        ("noc: {cast: multcast}", "c.yaml:2:13: noc.cast: found 'multcast', expected 'multicast' or 'unicast' (did you mean 'multicast'?)"),
        ("noc: {destinations: neuron, cast: unicast}\npacket: {format: bitmap}", "c.yaml:3:18: packet.format: spikes that share a packet go to the same cores: to each that any neuron of their slice feeds, found 'bitmap', expected aer, or noc.destinations: slice"),
        ("noc: {topology: torus}", "c.yaml:2:17: noc.topology: found 'torus', expected 'mesh' (tori are no part of a chip yet: `sfnhw noc` alone has them)"),
        ("noc: 5", "c.yaml:2:6: noc: found 5, expected a mapping with topology, columns, rows, cores_per_router, routing, cast, destinations, flit_bits, header_bits, route_entries, route_cycles, vc_alloc_cycles, switch_alloc_cycles, switch_cycles, link_cycles, vertical_link_cycles, interface_cycles, port_cycles, virtual_channels, buffer_flits, credit_cycles, link_mm"),
        ("noc: {rows: 0, header_bits: 0}", "c.yaml:2:13: noc.rows: found 0, expected a whole number from 1 to 1024 (routers) (and 1 more)"),
        ("io: {router: [0, 8]}", "c.yaml:2:6: io.router: found [0, 8], expected inside the mesh of 8 x 8: a row from 0 to 7"),
        ("io: {router: [-1, 0]}", "c.yaml:2:6: io.router: found [-1, 0], expected inside the mesh of 8 x 8: a column from 0 to 7"),
        ("io: {router: [0]}", "c.yaml:2:6: io.router: found [0], expected a list of 2 whole numbers"),
        ("io: {router: [0, '1']}", "c.yaml:2:18: io.router[1]: found '1', expected a whole number"),
        ("noc: {header_bits: 32}", "c.yaml:2:20: noc.header_bits: found 32, expected fewer bits than a flit has (32)"),
        ("core: {state_memory: {word_bits: 16}}", "c.yaml:2:34: core.state_memory.word_bits: found 16, expected at least one accumulator of 24 bits in a word"),
        ("schema_version: 2", "c.yaml:2:17: schema_version: found 2, expected a whole number equal to 1"),
        ("name: ''", "c.yaml:2:7: name: found '', expected a text that is not empty"),
        ("static: {core_leakge_uw: {}}", "c.yaml:2:10: static.core_leakge_uw: unknown field, expected one of core_leakage_uw, gate_leakage_uw, router_leakage_uw, core_clock_pj, router_clock_pj (did you mean 'core_leakage_uw'?)"),
        ("energy: {io_bit: {node_nm: 22}}", "c.yaml:2:28: energy.io_bit.node_nm: a price of another node or supply than the chip's is not mixed in, found 22.0, expected 28, as in technology.node_nm, or technology.scaling: stillmaker-baas-2017"),
        ("energy: {io_bit: {scaling: {noc.flit_bit: 1}}}", "c.yaml:2:29: energy.io_bit.scaling.noc.flit_bit: no such numeric field of a chip, expected a dotted field as in core.weight_bits (did you mean 'noc.flit_bits'?)"),
        ("energy: {io_bit: {scaling: {noc.flit_bits: 1}}}", "c.yaml:2:44: energy.io_bit.scaling.noc.flit_bits: no reference value for this field, expected noc.flit_bits under `at`"),
        ("energy: {io_bit: {at: {noc.flit_bits: 0}}}", "c.yaml:2:39: energy.io_bit.at.noc.flit_bits: found 0.0, expected a number from 1e-06 to 1e+09"),
        ("energy: {io_bit: {factors: {noc.cst: {unicast: 2}}}}", "c.yaml:2:29: energy.io_bit.factors.noc.cst: no such field of a chip, expected a dotted field as in core.weight_bits (did you mean 'noc.cast'?)"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be(message, content, expected):
    assert message(f"base: reference\n{content}\n") == expected


def test_a_missing_price(message):
    start = REFERENCE.index("  packet:\n    energy_pj")
    without = REFERENCE[:start] + REFERENCE[REFERENCE.index("  injection:\n    energy_pj") :]
    expected = "energy.packet: missing: every chip prices this action"
    assert message(without) == f"c.yaml:{line_of('energy:')}:1: {expected}"


def test_a_price_without_a_source(message):
    assert message(IO_BIT + PRICE) == ("c.yaml:3:3: energy.io_bit.source: missing, expected a text that is not empty")
    assert message(IO_BIT + PRICE + "    source: '  '\n") == (
        "c.yaml:7:13: energy.io_bit.source: found '  ', expected a text that is not empty"
    )


def test_an_unknown_action(message):
    row = "base: reference\nenergy:\n  acumulate:\n" + PRICE + "    source: x\n    node_nm: 28\n    voltage_v: 0.9\n"
    expected = f"energy.acumulate: unknown action, expected one of {ACTIONS} (did you mean 'accumulate'?)"
    assert message(row) == f"c.yaml:3:3: {expected}"
    # Whatever else the row lacks.
    assert message("base: reference\nenergy:\n  acumulate: {energy_nj: 2}\n") == f"c.yaml:3:3: {expected}"
    assert message("base: reference\narea:\n  rooter: 5\n").startswith("c.yaml:3:3: area.rooter: unknown component")


def test_prices_below_zero_and_bounds_out_of_order(message):
    negative = IO_BIT + PRICE.replace("low_pj: 1", "low_pj: -1") + "    source: x\n"
    assert message(negative) == "c.yaml:5:13: energy.io_bit.low_pj: found -1, expected a number from 0 to 1000000 (pJ)"
    crossed = IO_BIT + PRICE.replace("high_pj: 3", "high_pj: 1.5") + "    source: x\n"
    assert message(crossed) == (
        "c.yaml:3:3: energy.io_bit: the bounds are not in order, found '1, 2, 1.5', expected low ≤ value ≤ high"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            IO_BIT + "    {energy_pj: 4.0e-7, low_pj: 4.0e-7, high_pj: 1, source: x}\n",
            "c.yaml:3:3: energy.io_bit: rounds to nothing, since energies are counted in whole attojoules, found 4e-07, "
            "expected 0, or more than 5e-07 pJ",
        ),
        # 400 MHz: 1 µW is 2,500 aJ a cycle, so half an attojoule is 2e-4 µW.
        (
            "base: reference\nstatic:\n  core_leakage_uw:\n    {power_uw: 1, low_uw: 1.9e-4, high_uw: 2, source: x}\n",
            "c.yaml:3:3: static.core_leakage_uw: rounds to nothing, since energies are counted in whole attojoules, found "
            "0.00019, expected 0, or more than 0.0002 uW at 400 MHz",
        ),
        (
            IO_BIT + "    {energy_pj: 1.0e+12, low_pj: 1, high_pj: 1.0e+12, source: x}\n",
            "c.yaml:4:17: energy.io_bit.energy_pj: found 1000000000000.0, expected a number from 0 to 1000000 (pJ) (and 1 more)",
        ),
        ("base: reference\nclock_mhz: 1e-9\n", "c.yaml:2:12: clock_mhz: found 1e-09, expected a number from 0.001 to 10000 (MHz)"),
    ],
)  # fmt: skip
def test_prices_that_cannot_be_counted(message, content, expected):
    assert message(content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (IO_BIT + PRICE.replace("energy_pj", "energy_nj") + "    source: x\n", "c.yaml:4:5: energy.io_bit.energy_nj: an energy in nJ, expected energy_pj, in pJ (1 nJ = 1000 pJ)"),
        (IO_BIT + PRICE.replace("low_pj", "low_fj") + "    source: x\n", "c.yaml:5:5: energy.io_bit.low_fj: an energy in fJ, expected low_pj, in pJ (1 fJ = 0.001 pJ)"),
        (IO_BIT + PRICE.replace("energy_pj", "power_uw") + "    source: x\n", "c.yaml:4:5: energy.io_bit.power_uw: a power in uW, where an energy belongs, expected energy_pj, in pJ"),
        (IO_BIT + PRICE.replace("energy_pj", "energy_uw") + "    source: x\n", "c.yaml:4:5: energy.io_bit.energy_uw: a power in uW, where an energy belongs, expected energy_pj, in pJ"),
        ("base: reference\nstatic:\n  core_leakage_uw:\n    {energy_pj: 1, low_uw: 1, high_uw: 2, source: x}\n", "c.yaml:4:6: static.core_leakage_uw.energy_pj: an energy in pJ, where a power belongs, expected power_uw, in uW"),
        ("base: reference\narea:\n  router:\n    {area_mm2: 1, low_um2: 1, high_um2: 2, source: x}\n", "c.yaml:4:6: area.router.area_mm2: an area in mm2, expected area_um2, in um2 (1 mm2 = 1e+06 um2)"),
        ("base: reference\nenergy: {io_bit: {technology: srma}}\n", "c.yaml:2:31: energy.io_bit.technology: found 'srma', expected 'default', 'logic', 'sram', 'wire' or 'none' (did you mean 'sram'?)"),
    ],
)  # fmt: skip
def test_a_price_in_another_unit_or_dimension_is_told_the_right_one(message, content, expected):
    assert message(content) == expected


def test_another_node_is_not_priced_silently():
    with pytest.raises(
        ChipError, match=r"energy.axon_lookup.voltage_v: a price of another node or supply .* \(and 31 more"
    ):
        load_chip("reference").replace({"technology.voltage_v": 0.8})


def test_a_key_that_stands_twice(message):
    assert message("base: reference\nnoc:\n  rows: 1\n  rows: 2\n") == (
        "c.yaml:4:3: noc.rows: the key stands twice, in line 3 and in line 4"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("noc: [1, 2\n", "c.yaml:2:1: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"),
        ("noc:\n\trows: 3", "c.yaml:2:1: not valid YAML: while scanning for the next token, found character '\\t' that cannot start any token"),
        ("", "c.yaml: the file is empty, expected a YAML mapping"),
        ("# nothing but this\n", "c.yaml: the file is empty, expected a YAML mapping"),
        ("hello", "c.yaml:1: not a chip, found 'hello', expected a mapping of chip fields"),
        (b"\x00\x01\x02", "c.yaml:1:1: not a text file: character U+0000 is not allowed in YAML"),
        (b"\x89PNG\r\n\x1a\n\xff", "c.yaml:1: not a text file, found b'\\x89', expected UTF-8 text"),
    ],
)  # fmt: skip
def test_not_yaml(message, content, expected):
    assert message(content) == expected


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("referense", f"c.yaml:1:7: base: no such chip, found 'referense', expected a path ending in .yaml, or one of the presets: {PRESETS} (did you mean 'reference'?)"),
        ("c.yaml", "c.yaml:1:7: base: a chip cannot be its own base, found 'c.yaml'"),
        ("no/where.yaml", "c.yaml:1:7: base: no such file, found 'no/where.yaml'"),
        ("[1]", "c.yaml:1:1: base: found [1], expected the name of a preset or the path of a chip file"),
    ],
)  # fmt: skip
def test_a_base_that_cannot_be(message, base, expected):
    assert message(f"base: {base}\n") == expected


def test_names_and_paths_that_are_not_there(tmp_path):
    with pytest.raises(ChipError) as error:
        load_chip("refrence")
    assert str(error.value) == (
        f"no such chip, found 'refrence', expected a path ending in .yaml, or one of the presets: {PRESETS} "
        "(did you mean 'reference'?)"
    )
    with pytest.raises(ChipError, match=r"none\.yaml: cannot be read \(No such file or directory\)"):
        load_chip(tmp_path / "none.yaml")


def test_replace_names_the_nearest_fields():
    chip = load_chip("reference")
    with pytest.raises(ChipError) as error:
        chip.replace({"noc.colums": 4})
    text = str(error.value)
    assert text.startswith(
        "no such field of a chip (did you mean 'noc.columns'?), found 'noc.colums', expected a field"
    )
    assert len(text) < 300
    with pytest.raises(ChipError, match=r"did you mean 'core.synapse_lanes'\?"):
        chip.replace({"synapse_lanes": 4})
    with pytest.raises(ChipError, match="no such field of a chip, found 'energy'"):
        chip.replace({"energy": {}})
    with pytest.raises(ChipError) as error:
        chip.replace({"noc.columns": "many"})
    assert str(error.value) == "noc.columns: found 'many', expected a whole number from 1 to 1024 (routers)"


def test_prices_that_are_not_there():
    chip = load_chip("reference")
    with pytest.raises(ChipError, match=r"found 'acumulate', .*did you mean 'accumulate'"):
        chip.energy_price("acumulate")
    with pytest.raises(ChipError, match="found 'leakage', expected one of core_leakage_uw"):
        chip.static_price("leakage")
    with pytest.raises(ChipError, match="found 'rooter'"):
        chip.area_of("rooter")
    with pytest.raises(ChipError, match="found 'prices', expected 'energy', 'static' or 'area'"):
        chip.price_rows("prices")


def test_another_node_in_a_derived_file_points_at_its_own_line(message):
    text = message("base: reference\ntechnology:\n  node_nm: 22\n")
    assert text.startswith("c.yaml:3:12: energy.axon_lookup.node_nm: a price of another node or supply than the chip's")
