"""Runs of the packet kernel, from an empty chip on; and what it models.

A packet passes injection (`injection_cycles`), then each router (`router_cycles`) and link (`link_cycles` of its node),
then ejection (`ejection_cycles`), at the port of each core that it is for; alone it takes H·router + (H−1)·link + injection
+ ejection cycles and those of its tail (`sfnhw.sim.channels.tail_cycles`), and where it crosses narrow pins as many more as
these take beyond one a flit. A channel takes the next packet when `sfnhw.sim.channels` says (between chips the head waits
until the rest can follow without a gap). Fractions of a cycle are kept as ticks.

A frame is one timestep of one sample. Frames come in windows of W (1; T where the time of a spike is its value): a slice
starts the first frame of a window when its inputs have ended all of theirs, and works its own frames (`SliceTable.frames`
of each window) one after the other. Accumulator sets and ready tokens are for windows. A slice may have several parts, its
rows, which it works one after the other in each window, and which wait, and send end markers and tokens, by themselves
(`sfnhw.sim.parts`). Under barrier execution a slice of depth d works frame t of window n in global step
(n·interval + d)·W + t.

A threshold unit takes `update_cycles` for as many neurons as it has lanes, and `spike_cycles` more where any of them sends
something, which is ready when they are all done. A packet of several spikes (`sfnhw.sim.bundles`) is ready with the last
neuron of its bundle. At the core of a product, packets of the streaming operand wait in a queue of their own, in order, until
the end markers of the stationary operand have been worked off, which the lanes do after its writes.

With `Fabric.per_neuron` packets take those paths of their slice that their neuron feeds. With `waits_for_port` the walk takes as
much longer as its packets take the port. Without `axon_overlap` a packet is looked up when the synapses of the one before are
done.
"""

import numpy as np
from numpy.typing import NDArray

from sfnhw.kernel_cache import drop_stale
from sfnhw.sim.bundles import bundles_of
from sfnhw.sim.channel_order import Channels
from sfnhw.sim.flits.counting import worked_off
from sfnhw.sim.flits.cycle import step
from sfnhw.sim.flits.state import empty_network
from sfnhw.sim.flits.wires import Wires
from sfnhw.sim.kernel_parts import last_work
from sfnhw.sim.kernel_state import (
    AXON_BUSY,
    AXON_FREE,
    ENTRY_WAITED,
    LAST_EVENT,
    NEXT_FRAME,
    THRESHOLD_FREE,
    WINDOWS_IN_FLIGHT,
    Tally,
    begin,
    grown,
    room_of,
)
from sfnhw.sim.packed import Packed
from sfnhw.sim.packet_kernel import advance
from sfnhw.sim.step_channels import arrange
from sfnhw.sim.step_emission import emit
from sfnhw.sim.step_kernel import run_steps
from sfnhw.sim.tables import Fabric, SliceTable
from sfnhw.sim.wheel import LISTS

_RECORDS = ("bundles", "channels", "event_records", "kernel_state", "packed", "parts", "prefetch", "tables", "wheel")
_FLITS = ("router", "state", "wires")
_NOC = ("noc/bits", "noc/router", "noc/state")
drop_stale(advance, *_RECORDS, "kernel_parts", *(f"flits/{name}" for name in ("counting", "cycle", *_FLITS)), *_NOC)
drop_stale(last_work, *_RECORDS)
for _kernel in (run_steps, arrange, emit):
    drop_stale(
        _kernel,
        *_RECORDS,
        "kernel_parts",
        "channel_order",
        "step_channels",
        "step_emission",
        "step_senders",
        "noc/bits",
    )
drop_stale(step, *_FLITS, *(f"../{name}" for name in (*_RECORDS, *_NOC)))
drop_stale(worked_off, *_FLITS, *(f"../{name}" for name in (*_RECORDS, "kernel_parts", *_NOC)))

# Arrivals at channels of one timestep that are kept at once, at most: half a gibibyte. With more it goes event by event.
ARRIVALS = 2**25


def run_frames(
    sent: NDArray[np.uint8],
    steps_per_sample: int,
    s: SliceTable,
    p: Packed,
    f: Fabric,
    out: Tally,
    steps: tuple[int, int] | None = None,
    wires: Wires | None = None,
    channels: Channels | None = None,
) -> int:
    """Run frames (sample-major, `steps_per_sample` timesteps a sample) back to back through an empty chip.

    sent : (frames, neurons in slice-major order) how many spikes a neuron sends, one after the other.
    steps : under barrier execution the first and the last global step to run, instead of all (windows of one timestep).
    wires : at fidelity `flit`, the network of the chip.
    channels : in order (`sfnhw.sim.channel_order`): the same is found channel by channel, as far as that goes, in a fraction
        of the time. Of no use with wires, or where events are written down.
    Returns the number of slices that never finished (0; anything else is a deadlock, a defect).
    """
    frames, slices = len(sent), len(s.neurons)
    room = room_of(slices, p)
    network = None
    if wires:
        network = empty_network(wires)
        room += 2 * wires.routers * wires.ports  # a cycle: a packet out of each port, and one into each
    state = begin(frames, room, s, p, f, steps)
    bundles = bundles_of(sent, s, p.parts, f)
    done, frames_sent = False, sent.reshape(-1)
    if channels is not None and wires is None and not len(out.log):
        done = run_steps(frames_sent, steps_per_sample, s, p, f, channels, state, out, ARRIVALS)
    out.by_event[0] += not done
    # What the kernel needs of its own: it allocates nothing.
    frame, neurons = np.arange(frames), s.neurons // np.diff(p.parts.first)
    own = (neurons, frame % steps_per_sample, frame // f.window % WINDOWS_IN_FLIGHT, np.empty(LISTS, np.int64))
    while not done:
        done = advance(frames_sent, steps_per_sample, room, s, p, f, state, out, bundles, wires, network, *own)
        if not done:
            state = grown(state)
    at = state.at.reshape(-1, 16)
    out.busy[:] += at[:, AXON_BUSY : AXON_BUSY + 4]
    out.waits[0, 0] += at[:, ENTRY_WAITED].sum()
    units = at[:, AXON_FREE : THRESHOLD_FREE + 1]
    out.occupied[0] = max(state.clock[LAST_EVENT], units.max(), out.finish.max(initial=0))
    out.link_busy[:] += state.links.reshape(-1, 2)[: len(out.link_busy), 1]
    if steps:
        return 0
    unfinished = int((state.slices.reshape(-1, 32)[p.parts.first[:-1], NEXT_FRAME] < frames).sum())
    if not f.barrier:
        unfinished += int((state.outputs_done[:: f.window] < np.diff(p.parts.first)[s.is_output].sum()).sum())
    return unfinished
