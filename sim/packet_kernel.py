"""The packet-level kernel: every spike packet through core pipelines and routers, event by event.

This file is long because Numba inlines one event loop; its parts are the event wheel, the emission of a slice, the
hop through a router, and what a core does with a packet.

Time is in integer cycles. Servers (injection, links, ejection, axon look-up, synapse lanes, threshold unit) serve in
order of arrival with unbounded queues: contention is modelled, back-pressure of finite buffers is not.

A packet passes injection (`injection_cycles`), then each router (`router_cycles`) and link (`link_cycles` of its node),
then ejection (`ejection_cycles`), at the port of each core that it is for; alone it takes H·router + (H−1)·link + injection
+ ejection + flits − 1 cycles, and where it crosses narrow pins as many more as these take beyond one a flit: it has come, or left, with its last bit. A channel
takes the next packet after max(flits, hold/V) cycles: an input VC serves one packet at a time through route, VC and
switch allocation (`hold_cycles`), and V of them share the channel. Fractions of a cycle are kept as 1/V ticks.

A frame is one timestep of one sample. Frames come in windows of W (1; T where the time of a spike is its value): a slice
starts the first frame of a window when its inputs have ended all of theirs, and works its own frames (`SliceTable.frames`
of each window) one after the other. Banks and ready tokens are for windows. Under barrier execution a slice of depth d
works frame t of window n in global step (n·interval + d)·W + t.

A threshold unit takes `update_cycles` for as many neurons as it has lanes, and `spike_cycles` more where any of them sends
something, which is ready when they are all done.

At the core of a product, packets of the streaming operand wait in the input buffer, in order, until the end markers of the
stationary operand have been worked off, which the lanes do after its writes.
"""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

from sfnhw.sim.tables import Fabric, NodeTable, RowTable, SliceTable

Ints = NDArray[np.int64]

# Kinds of event. HOP: a packet's head enters a router. EMIT: a slice's next packet is ready. FED: an end marker has
# been worked off by a slice; OPERAND: one that ends the stationary operand of a product. TOKEN: a ready token has reached
# a source. STREAM: a packet that waited at a core for the stationary operand goes on.
HOP, EMIT, FED, TOKEN, OPERAND, STREAM = 0, 1, 2, 3, 4, 5
# Indices that stand for control packets in place of a neuron.
END, READY = -1, -2
WHEEL = 8192
LATENCY_BINS = 4096
WINDOWS_IN_FLIGHT = 4  # windows of one slice that can be open at once: at most banks + 1 = 3


class Tally(NamedTuple):
    """What a run counts and measures; arrays are filled in place. T is the timestep within a sample."""

    sent: Ints  # (slices, T) spike packets
    ends: Ints  # (slices, T) end markers
    readies: Ints  # (slices, T) ready tokens
    updates: Ints  # (slices, T) neurons taken through the threshold unit
    spikes: Ints  # (slices, T) neurons that sent something: a burst counts once
    row_packets: Ints  # (rows, T) spike packets looked up
    row_ends: Ints  # (rows, T) end markers looked up
    row_synapses: Ints  # (rows, T)
    row_words: Ints  # (rows, T) weight memory words
    row_state: Ints  # (rows, T) state memory words read (and as many written)
    node_packets: Ints  # (nodes, T) spike packets through a route node
    node_control: Ints  # (nodes, T) end markers or ready tokens
    delivered: Ints  # (slices, T) spike packets of the slice handed to cores and pins
    busy: Ints  # (cores + 1, 4) cycles of axon look-up, synapse lanes, threshold unit, injection; last row: pins
    link_busy: Ints  # (4·routers,) cycles
    latency_histogram: Ints  # (LATENCY_BINS,) spike packets by latency, the last bin open
    latency_total: Ints  # (2,) sum and largest
    layer_start: Ints  # (frames, populations) first cycle of work, −1: none
    layer_end: Ints  # (frames, populations) last cycle of work
    finish: Ints  # (frames,) cycle in which the frame's last output had left the chip, or its last step had ended
    steps: Ints  # (1,) global steps (barrier)


@nb.njit(nogil=True, cache=True)
def run_frames(
    sent: NDArray[np.uint8], steps_per_sample: int, s: SliceTable, r: RowTable, n: NodeTable, f: Fabric, out: Tally
) -> int:
    """Run frames (sample-major, `steps_per_sample` timesteps a sample) back to back through an empty chip.

    sent : (frames, neurons in slice-major order) how many packets a neuron sends, one after the other.
    Returns the number of slices that never finished (0; anything else is a deadlock, a defect).
    """
    frames = sent.shape[0]
    T = steps_per_sample
    slices = s.neurons.shape[0]
    terminals = f.cores + 1
    V = f.virtual_channels
    W = f.window

    # Servers: cycle (or 1/V tick) from which each is free.
    injection_free = np.zeros(terminals, np.int64)
    link_free = np.zeros(4 * f.routers, np.int64)
    ejection_free = np.zeros(terminals, np.int64)
    axon_free = np.zeros(terminals, np.int64)
    synapse_free = np.zeros(terminals, np.int64)
    threshold_free = np.zeros(terminals, np.int64)

    # State of each slice.
    next_frame = np.zeros(slices, np.int64)
    emitting = np.zeros(slices, np.bool_)
    left = np.zeros(slices, np.int64)  # packets that the neuron at the port has still to send
    phase_start = np.zeros(slices, np.int64)
    phase_end = np.zeros(slices, np.int64)
    beyond = np.zeros(slices, np.int64)  # cycles that spikes have added to the walk as far as the neuron at the port
    fed = np.zeros((slices, WINDOWS_IN_FLIGHT), np.int64)
    operands_in = np.zeros((slices, WINDOWS_IN_FLIGHT), np.int64)
    # Packets that wait for a stationary operand: a list for each slice, in order of arrival.
    waiting_head = np.full(slices, -1, np.int64)
    waiting_tail = np.full(slices, -1, np.int64)
    waiting = 0
    tokens = np.zeros((slices, WINDOWS_IN_FLIGHT), np.int64)
    outputs_done = np.zeros(frames, np.int64)
    outputs = 0
    for i in range(slices):
        if s.is_output[i]:
            outputs += 1

    # Events: a wheel of buckets, each a list in order of arrival; an event further than one turn away stays in its
    # bucket until its turn comes.
    head = np.full(WHEEL, -1, np.int64)
    tail = np.full(WHEEL, -1, np.int64)
    size = 1024
    e_time = np.empty(size, np.int64)
    e_kind = np.empty(size, np.int64)
    e_where = np.empty(size, np.int64)
    e_index = np.empty(size, np.int64)
    e_frame = np.empty(size, np.int64)
    e_born = np.empty(size, np.int64)
    e_next = np.empty(size, np.int64)
    for i in range(size):
        e_next[i] = i + 1
    e_next[size - 1] = -1
    free = 0
    pending = 0

    # Slices to look at: (slice, time) pairs whose conditions may have become true.
    look = np.empty(slices + 1, np.int64)
    looks = 0

    now = 0
    step = 0
    last_step = (frames // W - 1) * f.interval * W + f.last_due if frames else -1
    last_event = 0

    if not f.barrier:
        for i in range(slices):
            look[looks] = i
            looks += 1

    while True:
        if f.barrier and pending == 0:
            # The step is over when every packet is worked off; then all used cores synchronise.
            if step > 0:
                for c in range(terminals):
                    last_event = max(last_event, max(synapse_free[c], max(axon_free[c], threshold_free[c])))
                now = last_event + f.barrier_cycles
                done = step - 1
                out.steps[0] += 1
                for g in range(0, frames, W):
                    # A window is finished with the step in which the last population was updated.
                    if g * f.interval + f.last_due == done:
                        out.finish[g] = now
            if step > last_step:
                break
            for i in range(slices):
                due = step - s.depth[i] * W
                within = due % (f.interval * W)
                if due >= 0 and within < s.frames[i] and due // (f.interval * W) < frames // W:
                    look[looks] = i
                    looks += 1
            step += 1

        # Start slices whose inputs are complete and whose consumers have room.
        for k in range(looks):
            i = look[k]
            g = next_frame[i]
            if emitting[i] or g >= frames:
                continue
            window = g // W
            slot = window % WINDOWS_IN_FLIGHT
            if not f.barrier and g % W == 0:
                if not s.is_input[i] and fed[i, slot] < s.inputs[i]:
                    continue
                if window >= f.banks:
                    old = (window - f.banks) % WINDOWS_IN_FLIGHT
                    if tokens[i, old] < s.consumers[i]:
                        continue
                    tokens[i, old] = 0
                fed[i, slot] = 0
                operands_in[i, slot] = 0
            emitting[i] = True
            t0 = now
            base = s.first_neuron[i]
            walk = -(-s.neurons[i] // f.threshold_lanes) * s.update_cycles[i]
            if s.spike_cycles[i] > 0:
                walk += s.spike_cycles[i] * _spiking_groups(sent, g, base, s.neurons[i], f.threshold_lanes)
            if not s.is_input[i]:
                core = s.terminal[i]
                t0 = max(now, threshold_free[core])
                threshold_free[core] = t0 + walk
                out.busy[core, 2] += walk
                out.updates[i, g % T] += s.neurons[i]
            phase_start[i] = t0
            phase_end[i] = t0 + walk
            p = s.population[i]
            if out.layer_start[g, p] < 0 or out.layer_start[g, p] > t0:
                out.layer_start[g, p] = t0
            if out.layer_end[g, p] < phase_end[i]:
                out.layer_end[g, p] = phase_end[i]
            # Find the first packet.
            j = 0
            while j < s.neurons[i] and sent[g, base + j] == 0:
                j += 1
            when = phase_end[i]
            if j < s.neurons[i]:
                left[i] = sent[g, base + j]
                beyond[i] = s.spike_cycles[i]
                when = t0 + (j // f.threshold_lanes + 1) * s.update_cycles[i] + beyond[i]
            # push EMIT
            if free < 0:
                old_size = size
                size *= 2
                e_time = _grown(e_time, size)
                e_kind = _grown(e_kind, size)
                e_where = _grown(e_where, size)
                e_index = _grown(e_index, size)
                e_frame = _grown(e_frame, size)
                e_born = _grown(e_born, size)
                e_next = _grown(e_next, size)
                for q in range(old_size, size):
                    e_next[q] = q + 1
                e_next[size - 1] = -1
                free = old_size
            e = free
            free = e_next[e]
            e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = when, EMIT, i, j, g, when
            _append(head, tail, e_next, e, when)
            pending += 1
        looks = 0

        if pending == 0:
            if f.barrier:
                continue
            break

        # Find the next event.
        bucket = now % WHEEL
        e = head[bucket]
        before = -1
        while e >= 0 and e_time[e] != now:
            before = e
            e = e_next[e]
        if e < 0:
            now += 1
            continue
        after = e_next[e]
        if before < 0:
            head[bucket] = after
        else:
            e_next[before] = after
        if after < 0:
            tail[bucket] = before
        kind, where, index, g, born = e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e]
        e_next[e] = free
        free = e
        pending -= 1
        t = g % T
        last_event = max(last_event, now)

        if kind in (FED, OPERAND):
            fed[where, (g // W) % WINDOWS_IN_FLIGHT] += 1
            look[looks] = where
            looks += 1
            if kind == FED:
                continue
            operands_in[where, (g // W) % WINDOWS_IN_FLIGHT] += 1
            if operands_in[where, (g // W) % WINDOWS_IN_FLIGHT] < s.operands[where]:
                continue
            # The operand is complete: what waited for it in this frame goes on, in order.
            e = waiting_head[where]
            before = -1
            while e >= 0:
                after = e_next[e]
                if e_frame[e] == g:
                    if before < 0:
                        waiting_head[where] = after
                    else:
                        e_next[before] = after
                    if after < 0:
                        waiting_tail[where] = before
                    e_time[e] = now
                    _append(head, tail, e_next, e, now)
                    waiting -= 1
                    pending += 1
                else:
                    before = e
                e = after
            continue
        if kind == TOKEN:
            tokens[where, (g // W) % WINDOWS_IN_FLIGHT] += 1
            look[looks] = where
            looks += 1
            continue

        # Both EMIT and HOP push up to a handful of events; make room for them first.
        room = 8
        if kind == STREAM:
            room += 1
        elif kind == HOP:
            room += n.row_first[n.exit_first[where + 1]] - n.row_first[n.exit_first[where]]
        else:
            room += n.root_first[where + 1] - n.root_first[where]
            room += n.ready_root_first[where + 1] - n.ready_root_first[where]
        if size - pending - waiting < room:
            grown = size * 2 + room
            e_time = _grown(e_time, grown)
            e_kind = _grown(e_kind, grown)
            e_where = _grown(e_where, grown)
            e_index = _grown(e_index, grown)
            e_frame = _grown(e_frame, grown)
            e_born = _grown(e_born, grown)
            e_next = _grown(e_next, grown)
            for q in range(size, grown):
                e_next[q] = q + 1
            e_next[grown - 1] = free
            free = size
            size = grown

        if kind == EMIT:
            i = where
            terminal = s.terminal[i]
            if index < s.neurons[i]:
                out.sent[i, t] += 1
                flits = s.flits[i]
                first, last = n.root_first[i], n.root_first[i + 1]
            else:
                # The end of the frame: all spikes are out (end marker); of the window: the bank is free again (token).
                flits = 1
                first, last = n.root_first[i], n.root_first[i + 1]
                if not f.barrier:
                    if not s.is_input[i] and g % W == s.frames[i] - 1:
                        out.readies[i, t] += 1
                        for k in range(n.ready_root_first[i], n.ready_root_first[i + 1]):
                            start = _inject(terminal, now, 1, f, injection_free, out.busy)
                            e = free
                            free = e_next[e]
                            node = n.ready_roots[k]
                            when = start + f.injection_cycles
                            e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = (
                                when,
                                HOP,
                                node,
                                READY,
                                g,
                                now,
                            )
                            _append(head, tail, e_next, e, when)
                            pending += 1
                    out.ends[i, t] += 1
                else:
                    first = last
            start = now
            for k in range(first, last):
                start = _inject(terminal, now, flits, f, injection_free, out.busy)
                e = free
                free = e_next[e]
                when = start + f.injection_cycles
                mark = index if index < s.neurons[i] else END
                e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = (
                    when,
                    HOP,
                    n.roots[k],
                    mark,
                    g,
                    born,
                )
                _append(head, tail, e_next, e, when)
                pending += 1
            if index < s.neurons[i]:
                # The next packet: when the threshold unit has it, and not before this one is in the network.
                left[i] -= 1
                j = index
                if left[i] == 0:
                    out.spikes[i, t] += 1
                    j += 1
                    base = s.first_neuron[i]
                    while j < s.neurons[i] and sent[g, base + j] == 0:
                        j += 1
                    if j < s.neurons[i]:
                        left[i] = sent[g, base + j]
                        if j // f.threshold_lanes != index // f.threshold_lanes:
                            beyond[i] += s.spike_cycles[i]
                ready = phase_end[i]
                if j < s.neurons[i]:
                    ready = phase_start[i] + (j // f.threshold_lanes + 1) * s.update_cycles[i] + beyond[i]
                when = max(ready, max(now, start))
                e = free
                free = e_next[e]
                e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = when, EMIT, i, j, g, ready
                _append(head, tail, e_next, e, when)
                pending += 1
                p = s.population[i]
                if out.layer_end[g, p] < when:
                    out.layer_end[g, p] = when
            else:
                emitting[i] = False
                next_frame[i] = g + 1 if g % W < s.frames[i] - 1 else (g // W + 1) * W
                if not f.barrier:
                    look[looks] = i
                    looks += 1
            continue

        if kind == STREAM:
            target = r.target[where]
            begin = _work_off(where, index, g, t, now, s.terminal[target], s, r, f, axon_free, synapse_free, out)
            if index == END:
                e = free
                free = e_next[e]
                e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = begin, FED, target, 0, g, born
                _append(head, tail, e_next, e, begin)
                pending += 1
            continue

        # HOP: the packet's head enters a router.
        node = where
        owner = n.owner[node]
        flits = 1
        if index >= 0:
            flits = s.flits[owner]
            out.node_packets[node, t] += 1
        else:
            out.node_control[node, t] += 1
        leave = now + f.router_cycles
        ticks = max(flits * V, f.hold_cycles)
        for k in range(n.child_first[node], n.child_first[node + 1]):
            child = n.children[k]
            link = n.link[child]
            begin = max(link_free[link], leave * V)
            depart = -(-begin // V)
            link_free[link] = begin + ticks
            out.link_busy[link] += flits
            e = free
            free = e_next[e]
            when = depart + n.link_cycles[child]
            e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = when, HOP, child, index, g, born
            _append(head, tail, e_next, e, when)
            pending += 1
        for place in range(n.exit_first[node], n.exit_first[node + 1]):
            terminal = n.exits[place]
            low, high = n.row_first[place], n.row_first[place + 1]
            hold = ticks
            over_pins = flits
            if terminal == f.cores:
                over_pins = _over_pins(flits, f)
                hold = max(ticks, V * over_pins)
            begin = max(ejection_free[terminal], leave * V)
            ejection_free[terminal] = begin + hold
            arrive = -(-begin // V) + f.ejection_cycles + over_pins - 1
            if index == READY:
                for k in range(low, high):
                    e = free
                    free = e_next[e]
                    source = n.rows[k]
                    e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = (
                        arrive,
                        TOKEN,
                        source,
                        0,
                        g,
                        born,
                    )
                    _append(head, tail, e_next, e, arrive)
                    pending += 1
                continue
            if index >= 0:
                out.delivered[owner, t] += 1
                latency = arrive - born
                out.latency_histogram[min(latency, LATENCY_BINS - 1)] += 1
                out.latency_total[0] += latency
                out.latency_total[1] = max(out.latency_total[1], latency)
            if terminal == f.cores:
                # At the pins the last end marker of the last timestep completes the inference.
                last_event = max(last_event, arrive)
                p = s.population[owner]
                out.layer_end[g, p] = max(out.layer_end[g, p], arrive)
                if index == END:
                    outputs_done[g] += 1
                    out.finish[g] = max(out.finish[g], arrive)
                continue
            for k in range(low, high):
                row = n.rows[k]
                target = r.target[row]
                if r.streams[row] and operands_in[target, (g // W) % WINDOWS_IN_FLIGHT] < s.operands[target]:
                    e = free
                    free = e_next[e]
                    e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = STREAM, row, index, g, born
                    e_next[e] = -1
                    if waiting_tail[target] >= 0:
                        e_next[waiting_tail[target]] = e
                    else:
                        waiting_head[target] = e
                    waiting_tail[target] = e
                    waiting += 1
                    continue
                begin = _work_off(row, index, g, t, arrive, terminal, s, r, f, axon_free, synapse_free, out)
                if index == END:
                    e = free
                    free = e_next[e]
                    done_kind = OPERAND if r.stationary[row] else FED
                    e_time[e], e_kind[e], e_where[e], e_index[e], e_frame[e], e_born[e] = (
                        begin,
                        done_kind,
                        target,
                        0,
                        g,
                        born,
                    )
                    _append(head, tail, e_next, e, begin)
                    pending += 1

    unfinished = 0
    for i in range(slices):
        if next_frame[i] < frames:
            unfinished += 1
    if not f.barrier:
        for g in range(frames):
            if g % W == 0 and outputs_done[g] < outputs:
                unfinished += 1
    return unfinished


@nb.njit(nogil=True, inline="always")
def _work_off(
    row: int,
    index: int,
    g: int,
    t: int,
    arrive: int,
    core: int,
    s: SliceTable,
    r: RowTable,
    f: Fabric,
    axon_free: Ints,
    synapse_free: Ints,
    out: Tally,
) -> int:
    """One packet at one slice: axon look-up, then the synapse lanes; returns the cycle in which these begin."""
    looked_up = max(arrive, axon_free[core])
    axon_free[core] = looked_up + f.axon_cycles
    out.busy[core, 0] += f.axon_cycles
    begin = max(axon_free[core], synapse_free[core])
    if index == END:
        out.row_ends[row, t] += 1
        return begin
    run = r.run_first[row] + (index // r.positions[row]) * r.run_stride[row]
    taps = r.taps[r.taps_first[row] + (index % r.positions[row]) * r.taps_stride[row]]
    cycles = taps * r.run_cycles[run]
    synapse_free[core] = begin + cycles
    out.busy[core, 1] += cycles
    out.row_packets[row, t] += 1
    out.row_synapses[row, t] += taps * r.run_synapses[run]
    out.row_words[row, t] += taps * r.run_words[run]
    out.row_state[row, t] += taps * r.run_state[run]
    p = s.population[r.target[row]]
    if out.layer_start[g, p] < 0 or out.layer_start[g, p] > looked_up:
        out.layer_start[g, p] = looked_up
    if out.layer_end[g, p] < synapse_free[core]:
        out.layer_end[g, p] = synapse_free[core]
    return begin


@nb.njit(nogil=True, inline="always")
def _append(head: Ints, tail: Ints, e_next: Ints, e: int, when: int) -> None:
    """Put event e at the end of the bucket of cycle `when`."""
    bucket = when % WHEEL
    e_next[e] = -1
    if tail[bucket] >= 0:
        e_next[tail[bucket]] = e
    else:
        head[bucket] = e
    tail[bucket] = e


@nb.njit(nogil=True)
def _inject(terminal: int, now: int, flits: int, f: Fabric, injection_free: Ints, busy: Ints) -> int:
    """Take the injection port (or the pins) for one packet; returns the cycle in which its head goes on.

    Flits go on back to back, the last of them with the packet's last bit: over narrow pins, or at a slow port, the head
    waits.
    """
    cycles = max(flits, f.port_cycles)
    if terminal == f.cores:
        cycles = _over_pins(flits, f)
    start = max(now, injection_free[terminal])
    injection_free[terminal] = start + cycles
    busy[terminal, 3] += cycles
    return start + cycles - flits


@nb.njit(nogil=True)
def _spiking_groups(sent: NDArray[np.uint8], g: int, base: int, neurons: int, lanes: int) -> int:
    """Groups of `lanes` neurons of a slice in which any sends something in frame g."""
    groups = 0
    last = -1
    for j in range(neurons):
        if sent[g, base + j] > 0 and j // lanes != last:
            last = j // lanes
            groups += 1
    return groups


@nb.njit(nogil=True)
def _over_pins(flits: int, f: Fabric) -> int:
    """Cycles that a packet takes over the pins: at least one a flit."""
    return max(flits, -(-flits * f.io_flit_cycles_num // f.io_flit_cycles_den))


@nb.njit(nogil=True)
def _grown(array: Ints, size: int) -> Ints:
    """Return a copy with room for `size` entries."""
    larger = np.empty(size, np.int64)
    larger[: array.shape[0]] = array
    return larger
