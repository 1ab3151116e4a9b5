"""The event log says what the simulation counts, unit by unit, and its files say what the log says."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from sfnhw.activity import Activity
from sfnhw.chip import load_chip
from sfnhw.cli import main
from sfnhw.errors import InputError, MappingError, SimulationError
from sfnhw.estimate import estimate
from sfnhw.mapping import map_network
from sfnhw.reports.event_file import ORDER, EventFile, read_events, write_events
from sfnhw.reports.perfetto import packet_journeys, write_perfetto
from sfnhw.sim import record_events, simulate
from sfnhw.sim.event_log import PACKETS
from sfnhw.sim.event_records import EVENTS
from tests.command_line import write_case
from tests.networks import chain, random_activity, random_attention, random_network
from tests.test_rounds import changes
from tests.test_simulation import chips, lonely

UNITS = ("axon", "synapse", "threshold", "inject")


def rows_of(log, event):
    return {name: column[log.columns["event"] == EVENTS.index(event)] for name, column in log.columns.items()}


def test_one_spike_through_the_chip_worked_by_hand():
    """The run of `test_latency_of_one_spike_through_the_chip_worked_by_hand`, whose docstring derives the cycles.

    R = 4 and L = 1; a port hands over in the cycle after the router. x's packet enters the port in 0, is at the router in
    2, leaves it in 6 and is handed over in 7. h's spike: port 10, router 12, link 16, router 17, out in 21, handed over in 22.
    """
    network, mapping = lonely(2)
    activity = Activity({p.name: np.ones((1, 1, 1), int) for p in network.populations})
    log = record_events(mapping, activity)
    c = log.columns
    found = [
        (EVENTS[e], PACKETS[p] if p >= 0 else None, begin, end, core)
        for e, p, begin, end, core, layer in zip(
            *(c[k].tolist() for k in ("event", "packet", "begin_cycle", "end_cycle", "core", "layer")), strict=True
        )
        if log.layers[layer] in "xh" and (p < 0 or PACKETS[p] != "ready")
    ]
    pins = mapping.io
    assert sorted(found, key=lambda row: row[2:4] + row[:1]) == [
        ("inject", "spike", 0, 1, pins),
        ("inject", "end", 1, 2, pins),
        ("eject", "spike", 6, 7, 0),
        ("axon", "spike", 7, 8, 0),
        ("eject", "end", 7, 8, 0),
        ("axon", "end", 8, 9, 0),
        ("synapse", "spike", 8, 9, 0),
        ("threshold", None, 9, 10, 0),
        ("inject", "spike", 10, 11, 0),
        ("inject", "end", 12, 13, 0),
        ("link", "spike", 16, 17, -1),
        ("link", "end", 18, 19, -1),
        ("eject", "spike", 21, 22, 1),
        ("axon", "spike", 22, 23, 1),
        ("eject", "end", 23, 24, 1),
        ("synapse", "spike", 23, 24, 1),
        ("axon", "end", 24, 25, 1),
    ]
    link = rows_of(log, "link")
    assert (link["from_router"][0], link["direction"][0]) == (0, 0)  # from router 0 to the east
    assert (
        rows_of(log, "inject")["ready_cycle"][-1] == 26
    )  # the end of y, ready with its readout, waits for two packets


def check_against(result, log, cores):
    """Busy cycles of every unit at every core, and of every link, and the packets' latencies: log = simulation."""
    for unit, busy in zip(UNITS, result.timing.busy.T, strict=True):
        own = rows_of(log, unit)
        took = np.bincount(own["core"], own["end_cycle"] - own["begin_cycle"], cores + 1).astype(int)
        assert took.tolist() == busy.tolist(), unit
    own = rows_of(log, "link")
    took = np.bincount(
        own["from_router"] * 4 + own["direction"], own["end_cycle"] - own["begin_cycle"], len(result.timing.link_busy)
    )
    assert took.astype(int).tolist() == result.timing.link_busy.tolist()
    spikes = {k: v[log.columns["packet"] == PACKETS.index("spike")] for k, v in log.columns.items()}
    out = spikes["event"] == EVENTS.index("eject")
    assert int(out.sum()) == int(result.counts.delivered.sum())
    assert int((spikes["end_cycle"] - spikes["ready_cycle"])[out].sum()) == result.timing.packet_latency_sum
    assert spikes["synapses"][spikes["synapses"] >= 0].sum() == result.counts.row_synapses.sum()
    sent = np.bincount(spikes["slice"][spikes["event"] == EVENTS.index("axon")], minlength=1).sum()
    assert sent == result.counts.row_packets.sum()


def check_apart(log):
    """No unit, port or link is taken twice at once."""
    c = log.columns
    units = np.stack([c["event"], c["core"], c["from_router"], c["direction"]])
    _, which = np.unique(units, axis=1, return_inverse=True)
    order = np.lexsort((c["end_cycle"], c["begin_cycle"], which.reshape(-1)))
    same = np.diff(which.reshape(-1)[order]) == 0
    assert (c["begin_cycle"][order][1:] >= c["end_cycle"][order][:-1])[same].all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1, 3]), chips(), st.floats(0, 1), st.integers(0, 1))
def test_the_log_adds_up_to_what_is_counted_and_no_unit_works_twice_at_once(seed, T, chip, rate, sample):
    network = random_network(seed, T, recurrent=chip.execution.mode == "barrier")
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, 2, rate)
    log = record_events(mapping, activity, sample=sample)
    result = simulate(mapping, activity.select(slice(sample, sample + 1)), threads=1)
    assert log.sample == sample
    assert log.events_in_all == len(log)
    check_against(result, log, chip.cores)
    check_apart(log)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 100_000), chips(modes=("dataflow",)))
def test_attention_is_logged_with_the_packets_that_waited_for_an_operand(seed, chip):
    network = random_attention(seed)
    mapping = map_network(network, chip)
    activity = random_activity(network, seed, 1, 0.5)
    log = record_events(mapping, activity)
    check_against(simulate(mapping, activity, threads=1), log, chip.cores)
    check_apart(log)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), changes())
def test_rounds_follow_one_another_in_the_log(seed, given_changes):
    check_rounds(seed, given_changes)


def test_a_round_ends_with_its_last_work_and_not_with_its_last_result():
    """No synapse joins `pool` and `up`, so results leave while what `pool` waits for is still worked off."""
    fields = {
        "execution.rounds": "auto", "execution.mode": "dataflow", "core.neurons": 64, "core.state_banks": 1,
        "core.axon_sharing": "slice", "core.state_memory.kib": 32, "noc.columns": 1, "noc.rows": 1, "noc.cores_per_router": 1,
        "noc.cast": "multicast", "io.bits_per_cycle": 8, "off_chip.bits_per_cycle": 16,
        "core.threshold_unit.sharing": "population",
    }  # fmt: skip
    result = check_rounds(85, fields)
    assert result.timing.interval > result.timing.latency[0]


def check_rounds(seed, given_changes):
    network = random_network(seed, recurrent=given_changes["execution.mode"] == "barrier")
    try:
        mapping = map_network(network, load_chip("reference").replace(given_changes))
    except MappingError:
        reject()  # a loop that is more than the chip holds
    if not mapping.rounds:
        reject()
    activity = random_activity(network, seed, 1, 0.5)
    log = record_events(mapping, activity)
    result = simulate(mapping, activity, threads=1)
    spikes = log.columns["synapses"]
    assert spikes[spikes >= 0].sum() == result.counts.row_synapses.sum()
    check_ends_of_rounds(result, log)
    at_work = rows_of(log, "threshold")
    assert len(at_work["slice"]) == len(np.unique(at_work["slice"])) * network.timesteps
    check_apart(log)
    return result


def check_ends_of_rounds(result, log):
    """Nothing happens while weights are loaded; a round ends with the last thing that happens in it, whatever it is.

    The latency ends with the last end marker of a result at the pins, or with the last barrier.
    """
    begin, end = log.columns["begin_cycle"], log.columns["end_cycle"]
    now = 0
    for r in result.rounds:
        loaded, over = now + r.load.cycles, now + r.load.cycles + int(r.result.timing.occupied[0])
        mine = (begin >= now) & (begin < over) & (end > begin)
        assert begin[mine].min() >= loaded
        assert end[mine].max() == over
        now, last = over, mine
    assert end.max() == now == result.timing.interval == result.timing.occupied[0]
    if result.mapping.chip.execution.mode == "barrier":
        assert result.timing.latency[0] == now
        return
    outputs = [log.layers.index(p.name) for p in result.mapping.network.outputs]
    out = last & (log.columns["event"] == EVENTS.index("eject")) & np.isin(log.columns["layer"], outputs)
    out &= log.columns["packet"] == PACKETS.index("end")
    assert result.timing.latency[0] == end[out].max(initial=loaded)


def case(seed=4, T=2):
    network = random_network(seed, T)
    mapping = map_network(network, load_chip("reference"))
    return network, mapping, random_activity(network, seed, 2, 0.5)


def test_a_limit_keeps_the_first_and_says_how_many_there_are():
    _, mapping, activity = case()
    whole = record_events(mapping, activity)
    cut = record_events(mapping, activity, limit=100)
    assert (len(cut), cut.events_in_all) == (100, len(whole))
    rows = {tuple(row) for row in np.stack(list(whole.columns.values()), axis=1).tolist()}
    assert {tuple(row) for row in np.stack(list(cut.columns.values()), axis=1).tolist()} <= rows


def test_a_layers_log_is_that_layers_part_of_the_whole():
    network, mapping, activity = case()
    whole = record_events(mapping, activity)
    for p in network.populations:
        own = record_events(mapping, activity, layers=[p.name])
        number = whole.layers.index(p.name)
        mine = (whole.columns["layer"] == number) | (whole.columns["target_layer"] == number)
        # How long others' packets waited for their look-up is not known without their deliveries.
        others = (whole.columns["event"] == EVENTS.index("axon")) & (whole.columns["layer"] != number)
        known = {**whole.columns, "wait_cycles": np.where(others, -1, whole.columns["wait_cycles"])}
        for name, column in known.items():
            assert np.array_equal(np.sort(column[mine]), np.sort(own.columns[name])), (p.name, name)


def test_what_cannot_be_logged_is_refused():
    _, mapping, activity = case()
    with pytest.raises(SimulationError, match=r"sample: found 2, expected a whole number from 0 to 1"):
        record_events(mapping, activity, sample=2)
    with pytest.raises(SimulationError, match=r"limit: found 0"):
        record_events(mapping, activity, limit=0)
    with pytest.raises(SimulationError, match=r"layers: no such layer, found 'inp'"):
        record_events(mapping, activity, layers=["inp"])


def file_of(limit=10**6):
    network, mapping, activity = case()
    chip = mapping.chip
    log = record_events(mapping, activity, sample=1, limit=limit)
    return EventFile(log, network.name, chip.name, chip.cores, chip.columns, chip.noc.cores_per_router, chip.clock_mhz)


def test_parquet_says_what_the_log_says(tmp_path):
    file = file_of()
    write_events(file, tmp_path / "e.parquet")
    again = read_events(tmp_path / "e.parquet")
    assert (again.network, again.chip, again.cores, again.clock_mhz) == (
        file.network,
        file.chip,
        file.cores,
        file.clock_mhz,
    )
    assert (again.log.sample, again.log.events_in_all) == (1, len(file.log))
    for name in ORDER:
        ours, theirs = file.log.columns[name], again.log.columns[name]
        if name in ("layer", "target_layer"):
            ours, theirs = (
                np.array([*names, None], object)[column]
                for names, column in ((file.log.layers, ours), (again.log.layers, theirs))
            )
        assert np.array_equal(ours, theirs), name


def test_another_reader_sees_names_and_nulls(tmp_path):
    import pyarrow.parquet as pq

    file = file_of()
    write_events(file, tmp_path / "e.parquet")
    rows = pq.read_table(tmp_path / "e.parquet").to_pylist()
    assert len(rows) == len(file.log)
    for row in rows:
        assert (row["event"] == "link") == (row["core"] is None) == (row["direction"] is not None)
        assert (row["event"] in ("axon", "synapse")) == (row["target_layer"] is not None)
        assert (row["event"] == "threshold") == (row["packet"] is None)
        assert (row["packet"] == "spike") == (row["neuron"] is not None)
        assert (row["event"] == "synapse") == (row["synapses"] is not None)


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_the_trace_has_every_event_and_every_packet_once(tmp_path, suffix):
    file = file_of()
    path = tmp_path / f"t.{suffix}"
    write_perfetto(file, np.ones(len(file.log), bool), path)
    raw = path.read_bytes()
    trace = json.loads(gzip.decompress(raw) if suffix.endswith("gz") else raw)["traceEvents"]
    c = file.log.columns
    units = [e for e in trace if e["ph"] == "X"]
    args = sorted((e["args"]["begin_cycle"], e["args"]["end_cycle"], EVENTS.index(e["cat"])) for e in units)
    assert args == sorted(zip(*(c[k].tolist() for k in ("begin_cycle", "end_cycle", "event")), strict=True))
    for e in units:  # 400 MHz: 2.5 ns a cycle
        assert e["ts"] == pytest.approx(e["args"]["begin_cycle"] * 0.0025, abs=1e-9)
        assert e["dur"] == pytest.approx((e["args"]["end_cycle"] - e["args"]["begin_cycle"]) * 0.0025, abs=1e-9)
    begun, ended = ({e["id"]: e for e in trace if e["ph"] == ph} for ph in "be")
    assert begun.keys() == ended.keys()
    assert sum(e["args"]["deliveries"] for e in begun.values()) == (c["event"] == EVENTS.index("eject")).sum()
    assert all(begun[k]["ts"] <= ended[k]["ts"] and begun[k]["name"] == ended[k]["name"] for k in begun)
    threads = {(e["pid"], e["tid"]) for e in trace if e["name"] == "thread_name"}
    assert {(e["pid"], e["tid"]) for e in units} == threads
    processes = {e["pid"] for e in trace if e["name"] == "process_name"}
    assert {e["pid"] for e in trace} == processes


def test_barriers_are_a_process_of_their_own_in_the_trace(tmp_path):
    network = random_network(4, 3)
    mapping = map_network(network, load_chip("reference").replace({"execution.mode": "barrier"}))
    log = record_events(mapping, random_activity(network, 4, 1, 0.5))
    chip = mapping.chip
    file = EventFile(log, "n", "c", chip.cores, chip.columns, chip.noc.cores_per_router, chip.clock_mhz)
    write_events(file, tmp_path / "e.parquet")
    write_perfetto(read_events(tmp_path / "e.parquet"), np.ones(len(log), bool), tmp_path / "t.json")
    trace = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    own = rows_of(log, "barrier")
    found = [(e["args"]["begin_cycle"], e["args"]["end_cycle"]) for e in trace if e.get("cat") == "barrier"]
    assert sorted(found) == sorted(zip(own["begin_cycle"].tolist(), own["end_cycle"].tolist(), strict=True))
    assert len(found) == max(network.depth.values()) + network.timesteps
    (process,) = {e["pid"] for e in trace if e.get("cat") == "barrier"}
    named = [e for e in trace if e["name"] == "process_name" and e["pid"] == process]
    assert [e["args"]["name"] for e in named] == ["all cores"]
    assert {e.get("cat", "barrier") for e in trace if e["pid"] == process} == {"barrier"}


def test_names_of_a_user_cannot_break_the_trace(tmp_path):
    file = file_of()
    hostile = tuple(f'"}}]\\ \n<script>{i}' for i in range(len(file.log.layers)))
    object.__setattr__(file.log, "layers", hostile)
    write_perfetto(file, np.ones(len(file.log), bool), tmp_path / "t.json")
    trace = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    names = {e["name"] for e in trace if e["ph"] == "X" and e["cat"] == "threshold"}
    assert names <= set(hostile)
    assert names


def test_journeys_are_from_ready_to_the_last_delivery():
    file = file_of()
    found = packet_journeys(file, np.ones(len(file.log), bool))
    latest = {}
    c = {name: column.tolist() for name, column in file.log.columns.items()}
    for k, event in enumerate(c["event"]):
        if EVENTS[event] == "eject":
            key = tuple(c[name][k] for name in ("layer", "packet", "neuron", "timestep", "ready_cycle", "slice"))
            latest[key] = max(latest.get(key, 0), c["end_cycle"][k])
    assert sorted(found["end_cycle"].tolist()) == sorted(latest.values())


def test_a_run_of_another_fidelity_has_no_events():
    run = estimate(chain([2, 2, 2]), "reference", np.ones((1, 2)), fidelity="analytic", baselines=())
    with pytest.raises(
        InputError, match="fidelity: only fidelity packet logs events, found 'analytic', expected packet"
    ):
        run.with_events()
    with pytest.raises(InputError, match=r"run: no events were logged, expected run.with_events\(\)"):
        EventFile.of(run)


def test_damaged_files_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "e.parquet"
    with pytest.raises(InputError, match="no such file"):
        read_events(path)
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(InputError, match="not a Parquet file, or cut short"):
        read_events(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(InputError, match="format: not an event log of this version"):
        read_events(path)
    write_events(file_of(), path)
    whole = pq.read_table(path)
    pq.write_table(whole.drop_columns(["core"]), path)
    with pytest.raises(InputError, match="core: missing"):
        read_events(path)
    pq.write_table(whole.set_column(0, "event", pa.array(["boom"] * len(whole)).dictionary_encode()), path)
    with pytest.raises(InputError, match="event: found 'boom'"):
        read_events(path)
    pq.write_table(whole.set_column(1, "begin_cycle", pa.array([0.5] * len(whole))), path)
    with pytest.raises(InputError, match="begin_cycle: found 'double', expected int64"):
        read_events(path)
    for only in ("[", "[1]", "[]", "[" * 100_000):
        pq.write_table(whole.replace_schema_metadata({**whole.schema.metadata, b"sfnhw.only": only.encode()}), path)
        with pytest.raises(InputError, match="only: found"):
            read_events(path)
    older = {key: value for key, value in whole.schema.metadata.items() if key != b"sfnhw.only"}
    pq.write_table(whole.replace_schema_metadata(older), path)
    assert read_events(path).log.only is None
    pq.write_table(whole.slice(0, 0), path)
    with pytest.raises(InputError, match="no events in it"):
        read_events(path)


def test_the_command_line(tmp_path, monkeypatch, capsys, few_figures):
    write_case(tmp_path)
    monkeypatch.chdir(tmp_path)

    def sfnhw(*arguments):
        code = main([str(a) for a in arguments])
        return code, *capsys.readouterr()

    run = ("estimate", "net.sfn", "--inputs", "in.npz", "--baselines", "none", "-o", "run")
    code, out, err = sfnhw(*run, "--event-sample", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "--event-sample: is of the event log, found 1, expected --events with it" in err
    for other in ("flit", "auto", "analytic"):
        code, out, err = sfnhw(*run, "--events", "--fidelity", other)
        found = f"found '--fidelity {other}', expected --fidelity packet, or no --events"
        assert (code, out, err) == (2, "", f"sfnhw: error: --events: only fidelity packet logs events, {found}\n")
    code, out, err = sfnhw(*run, "--events", "--event-sample", "3")
    assert code == 2
    assert "--event-sample: found 3, expected a whole number from 0 to 2" in err
    assert not (tmp_path / "run").exists()
    code, out, err = sfnhw(*run, "--events", "--event-sample", "2", "--event-limit", "500")
    assert code == 0, err
    about = json.loads((tmp_path / "run" / "run.json").read_text())["events"]
    assert about["sample"] == 2
    assert about["logged"] == min(500, about["in_all"])

    code, out, err = sfnhw("trace", "run", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["in_all"], found["in_trace"]) == (about["in_all"], about["logged"])
    trace = json.loads(gzip.decompress((tmp_path / "run" / "trace.json.gz").read_bytes()))["traceEvents"]
    assert sum(e["ph"] == "X" for e in trace) == about["logged"]

    name = found["layers"][0]["layer"]
    code, out, err = sfnhw("trace", "run", "--layer", name, "--cycles", "0:50", "-o", "part.json")
    assert code == 0, err
    assert max(map(len, out.splitlines())) <= 80
    part = [e for e in json.loads((tmp_path / "part.json").read_text())["traceEvents"] if e["ph"] == "X"]
    assert part
    assert all(e["args"]["begin_cycle"] < 50 for e in part)

    for arguments, text in (
        (("--layer", name + "x"), "--layer: no such layer in the log"),
        (("--cycles", "9"), "--cycles: found '9', expected two whole numbers A:B with A < B"),
        (("--cycles", "900000000:900000001"), "none of the"),
        (("--core", "70000"), "--core: found 70000, expected 0 to"),
        (("-o", "trace.txt"), "output: found 'trace.txt', expected a name that ends in .json or .gz"),
    ):
        code, out, err = sfnhw("trace", "run", *arguments)
        assert (code, err.count("\n")) == (2, 1), arguments
        assert text in err

    (tmp_path / "run" / "events.parquet").unlink()
    code, out, err = sfnhw("trace", "run")
    assert code == 2
    assert "no events.parquet in it, found 'run', expected a run with --events" in err


def test_rows_are_of_the_layers_that_are_asked_for(tmp_path, monkeypatch, capsys, few_figures):
    """The layer in the middle: its look-ups of packets from the one before, and work on its own behind it, are chosen too."""
    write_case(tmp_path)
    monkeypatch.chdir(tmp_path)

    def sfnhw(*arguments):
        code = main(list(arguments))
        out, err = capsys.readouterr()
        assert code == 0, err
        return out, err

    run = ("estimate", "net.sfn", "--inputs", "in.npz", "--baselines", "none", "--events", "-o")
    sfnhw(*run, "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["events"]["layers"] is None
    found = json.loads(sfnhw("trace", "run", "--json")[0])
    assert (found["log_is_of"], found["layers_left_out"]) == (None, [])
    first, name, last = (row["layer"] for row in found["layers"][:3])
    part = json.loads(sfnhw("trace", "run", "--layer", name, "--json")[0])
    assert part["layers"] == [found["layers"][1]], "no event of it is missing"
    assert part["layers_left_out"] == [first, last]
    assert "2 other layers left out: the trace has only what they share with those above" in sfnhw(
        "trace", "run", "--layer", name
    )[0]  # fmt: skip
    assert "left out" not in sfnhw("trace", "run")[0]

    sfnhw(*run, "of", "--event-layer", name)
    assert json.loads((tmp_path / "of" / "run.json").read_text())["events"]["layers"] == [name]
    found = json.loads(sfnhw("trace", "of", "--json")[0])
    assert (found["log_is_of"], [row["layer"] for row in found["layers"]]) == ([name], [name])
    assert found["layers_left_out"] == [first, last]
    assert f"the log is of {name} alone (--event-layer)" in sfnhw("trace", "of")[1]
