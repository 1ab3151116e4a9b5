"""Runs of the packet kernel, from an empty chip on."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.flits.state import empty_network
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.kernel_state import AXON_BUSY, NEXT_FRAME, Tally, begin, grown, room_of
from sfnhw.sim.packed import Packed
from sfnhw.sim.packet_kernel import advance
from sfnhw.sim.tables import Fabric, SliceTable


def run_frames(
    sent: NDArray[np.uint8],
    steps_per_sample: int,
    s: SliceTable,
    p: Packed,
    f: Fabric,
    out: Tally,
    steps: tuple[int, int] | None = None,
    wires: Wires | None = None,
) -> int:
    """Run frames (sample-major, `steps_per_sample` timesteps a sample) back to back through an empty chip.

    sent : (frames, neurons in slice-major order) how many packets a neuron sends, one after the other.
    steps : under barrier execution the first and the last global step to run, instead of all (windows of one timestep).
    wires : at fidelity `flit`, the network of the chip.
    Returns the number of slices that never finished (0; anything else is a deadlock, a defect).
    """
    frames, slices = len(sent), len(s.neurons)
    room = room_of(slices, p)
    network = None
    if wires:
        network = empty_network(wires)
        room += 2 * wires.routers * wires.ports  # a cycle: a packet out of each port, and one into each
    state = begin(frames, room, s, p, f, steps)
    while not advance(sent.reshape(-1), steps_per_sample, room, s, p, f, state, out, wires, network):
        state = grown(state)
    out.busy[:] += state.at.reshape(-1, 16)[:, AXON_BUSY : AXON_BUSY + 4]
    out.link_busy[:] += state.links.reshape(-1, 2)[:, 1]
    if steps:
        return 0
    unfinished = int((state.slices.reshape(-1, 32)[p.parts.first[:-1], NEXT_FRAME] < frames).sum())
    if not f.barrier:
        unfinished += int((state.outputs_done[:: f.window] < np.diff(p.parts.first)[s.is_output].sum()).sum())
    return unfinished
