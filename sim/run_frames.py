"""Running the packet kernel over some frames, and growing its memory as it asks for more."""

import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.bundles import bundles_of
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
) -> int:
    """Run frames (sample-major, `steps_per_sample` timesteps a sample) back to back through an empty chip.

    sent : (frames, neurons in slice-major order) how many spikes a neuron sends, one after the other.
    steps : under barrier execution the first and the last global step to run, instead of all (windows of one timestep).
    Returns the number of slices that never finished (0; anything else is a deadlock, a defect).
    """
    frames, slices = len(sent), len(s.neurons)
    room = room_of(slices, p)
    state = begin(frames, room, s, f, steps)
    bundles = bundles_of(sent, s, f)
    while not advance(sent.reshape(-1), steps_per_sample, room, s, p, f, state, out, bundles):
        state = grown(state)
    out.busy[:] += state.at.reshape(-1, 16)[:, AXON_BUSY : AXON_BUSY + 4]
    out.link_busy[:] += state.links.reshape(-1, 2)[:, 1]
    if steps:
        return 0
    unfinished = int((state.slices.reshape(slices, 32)[:, NEXT_FRAME] < frames).sum())
    if not f.barrier:
        unfinished += int((state.outputs_done[:: f.window] < s.is_output.sum()).sum())
    return unfinished
