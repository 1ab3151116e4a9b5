"""Compile the large kernels once, before the tests: two workers that meet the same kernel would both compile it.

python -m tests.kernels packet|flit (`make test` runs these beside mypy). It checks nothing, and the tests need none of it.
"""

import sys

import numpy as np

import sfnhw
from sfnhw.sim.noc import NocConfig, Traffic, simulate_burst
from tests.networks import chain


def estimate(fidelity: str, **fields: object) -> None:
    """Run a network of three layers, one core each or more."""
    chip = sfnhw.load_chip("reference").replace({key.replace("__", "."): value for key, value in fields.items()})
    sfnhw.estimate(chain([4, 3, 2]), chip, np.ones((1, 4)), fidelity=fidelity, baselines=(), threads=1)


def packet() -> None:
    """Routes and their turns, the loop of events with one spike a packet and several, that of timesteps, annealed moves."""
    estimate("packet")
    estimate("packet", packet__format="bundled")
    estimate("packet", execution__mode="barrier")
    chip = sfnhw.load_chip("reference").replace({"noc.routing": "o1turn", "noc.virtual_channels": 2})
    sfnhw.map_network(chain([20, 300, 300, 3]), chip, placer="annealed-balanced")


def flit() -> None:
    """The loop of events with a network of flits, and the networks of synthetic traffic."""
    estimate("flit")
    estimate("flit", packet__format="bundled")
    for cycles in (1, 2):  # stages of one cycle have a kernel of their own
        simulate_burst(Traffic(NocConfig(columns=2, rows=2, route_cycles=cycles)), 1, fidelity="flit")
    by_events = NocConfig(columns=2, rows=2, virtual_channels=1, buffer_flits=4, packet_flits=2)
    simulate_burst(Traffic(by_events), 1, fidelity="packet")


if __name__ == "__main__":
    {"packet": packet, "flit": flit}[sys.argv[1]]()
