"""The flit-level network simulator beside measurements of an independent one: mesh and torus, packets, stages, bursts.

`tests/data/README.md` tells what was measured, and how. Bursts without a random choice end in the very same cycle, so that
every rule of the router is in them; where destinations are drawn the generators differ, and noise decides the tolerance.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from sfnhw.sim.noc import NocConfig, Traffic, simulate_burst, simulate_noc

ROWS = list(csv.DictReader((Path(__file__).parent / "data" / "noc_measured.csv").open()))
WHOLE = (
    "columns", "rows", "virtual_channels", "buffer_flits", "packet_flits", "route_cycles", "vc_alloc_cycles",
    "switch_alloc_cycles", "switch_cycles", "link_cycles", "credit_cycles",
)  # fmt: skip
BURSTS = [row for row in ROWS if row["burst_packets_per_node"]]
CURVES = [row for row in ROWS if not row["burst_packets_per_node"]]
EXACT = [row for row in BURSTS if row["seeds"] == "1"]
# Credits that take longer than links do so to and from nodes too in the other simulator, here only between routers.
APART = [row for row in EXACT if int(row["credit_cycles"]) > int(row["link_cycles"])]


def traffic(row):
    # The other simulator asks for no room in the virtual channel that both classes of an odd torus share.
    odd = row["topology"] == "torus" and int(row["virtual_channels"]) % 2 == 1
    fields = {field: int(row[field]) for field in WHOLE}
    config = NocConfig(topology=row["topology"], shared_vc="any" if odd else "whole", **fields)
    node, _, share = row["hotspot"].partition(":")
    return Traffic(config, row["pattern"], ((int(node), float(share)),) if node else ())


def label(row):
    load = row["rate_packets_per_node_cycle"] or f"burst-{row['burst_packets_per_node']}"
    network = (
        f"{row['topology']}{row['columns']}-v{row['virtual_channels']}-b{row['buffer_flits']}-f{row['packet_flits']}"
    )
    return f"{network}-{row['pattern']}-{load}"


def makespan(row, seed=0):
    return simulate_burst(traffic(row), int(row["burst_packets_per_node"]), seed=seed).makespan


def test_bursts_without_a_random_choice_end_in_the_same_cycle():
    assert len(EXACT) > 70
    rows = [row for row in EXACT if row not in APART]
    found = {label(row): makespan(row) for row in rows}
    assert found == {label(row): int(float(row["makespan_cycles"])) for row in rows}


@pytest.mark.parametrize("row", APART, ids=label)
def test_bursts_with_slow_credits_end_nearly_then(row):
    assert makespan(row) == pytest.approx(float(row["makespan_cycles"]), rel=0.005)


def mean_latency(row, cycles, seeds):
    rate = float(row["rate_packets_per_node_cycle"])
    runs = [simulate_noc(traffic(row), rate, cycles=cycles, warmup=3000, seed=seed) for seed in range(seeds)]
    return float(np.mean([run.mean_latency for run in runs]))


# Of each kind one, below 0.75 of saturation. A run of 10,000 cycles and the measured one of as many are within 1 % of each
# other by noise: the mean over both of 5,000 packets and more, whose latencies spread by a third.
FAST = [row for row in CURVES if row["columns"] in ("4", "8") and int(row["cycles"]) < 15_000][8::12]


@pytest.mark.parametrize("row", FAST, ids=label)
def test_mean_latency(row):
    assert mean_latency(row, 10_000, 1) == pytest.approx(float(row["mean_latency_cycles"]), rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("row", CURVES, ids=label)
def test_mean_latency_of_all(row):
    # Within 2 %, and what noise makes of it: 3 standard errors of the measured mean, and more the more packets wait for each
    # other, as then fewer of them are independent.
    waits = float(row["mean_latency_cycles"]) / traffic(row).zero_load_latency - 1
    measured, spread = float(row["mean_latency_cycles"]), float(row["latency_sd_over_seeds"] or 0)
    noise = 3 * spread / np.sqrt(int(row["seeds"])) / measured
    assert mean_latency(row, 20_000, 4) == pytest.approx(measured, rel=0.02 + 0.03 * waits + noise)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in BURSTS if row["seeds"] != "1"], ids=label)
def test_mean_makespan(row):
    spread, measured = float(row["makespan_sd_over_seeds"]), float(row["makespan_cycles"])
    mean = np.mean([makespan(row, seed) for seed in range(40)])
    # 3.5 standard errors of the difference of two means.
    error = 3.5 * spread * np.sqrt(1 / int(row["seeds"]) + 1 / 40)
    assert mean == pytest.approx(measured, abs=error)
