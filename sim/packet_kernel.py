"""The packet-level kernel: every spike packet through core pipelines and routers, event by event.

One loop: an array that meets a branch in a function of its own costs a reference count each time. Time is in integer
cycles. Servers (injection, links, ejection, axon look-up, synapse lanes, threshold unit) serve in order of arrival with
unbounded queues: contention is modelled, back-pressure of finite buffers is not. At fidelity `flit` the cores are these, and
between their queues and their input buffers is the network of `sfnhw.sim.flits`, a cycle of it after each cycle's events.

A packet passes injection (`injection_cycles`), then each router (`router_cycles`) and link (`link_cycles` of its node),
then ejection (`ejection_cycles`), at the port of each core that it is for; alone it takes H·router + (H−1)·link + injection
+ ejection + flits − 1 cycles, and where it crosses narrow pins as many more as these take beyond one a flit. A channel
takes the next packet after max(flits · flit_cycles, hold/V) cycles (flit_cycles is 1 but between chips, where the head waits
until the rest can follow without a gap): an input VC serves one packet at a time through route, VC and switch allocation
(`hold_cycles`), and V of them share the channel. Fractions of a cycle are kept as 1/V ticks.

A frame is one timestep of one sample. Frames come in windows of W (1; T where the time of a spike is its value): a slice
starts the first frame of a window when its inputs have ended all of theirs, and works its own frames (`SliceTable.frames`
of each window) one after the other. Accumulator sets and ready tokens are for windows. A slice may have several parts, its
rows, which it works one after the other in each window, and which wait, and send end markers and tokens, by themselves
(`sfnhw.sim.parts`). Under barrier execution a slice of depth d works frame t of window n in global step
(n·interval + d)·W + t.

A threshold unit takes `update_cycles` for as many neurons as it has lanes, and `spike_cycles` more where any of them sends
something, which is ready when they are all done. At the core of a product, packets of the streaming operand wait in a queue
of their own until the end markers of the stationary operand have been worked off, which the lanes do after its writes.
"""

from typing import Any  # noqa: I001

import numba as nb
import numpy as np
from numpy.typing import NDArray

# Columns of records are so many that one a line would be half of this file.
# fmt: off
from sfnhw.sim.event_records import AXON, EJECT, INJECT, LINK as ON_LINK, SYNAPSE, THRESHOLD
from sfnhw.sim.flits.counting import announce, ended, worked_off
from sfnhw.sim.flits.cycle import busy, catch_up, enqueue, step as step_network
from sfnhw.sim.flits.state import CYCLE
from sfnhw.sim.kernel_parts import any_taken, last_work, look_at_due, next_sender, note, over_pins, release, shift_of, spiking_groups, wake
from sfnhw.sim.kernel_state import (
    AXON_BUSY, AXON_FREE, BEYOND, DELIVERED, EJECTION_FREE, EMIT, EMITTING, END, ENDS, ENTRY, FED, FED_IN, FIRST_STEP, FREE,
    HOP, INJECTION_BUSY, INJECTION_FREE, LAST_EVENT, LAST_STEP, LATENCY_BINS, LEFT, LOOKS, NEXT_FRAME, NEXT_NEURON, NEXT_READY, NOW,
    OPERAND, OPERANDS_IN, PACKETS, PENDING, PHASE_END, PHASE_START, READIES, READY, SENT, SPIKES, STEP, STREAM, SYNAPSE_BUSY, SYNAPSE_FREE,
    THRESHOLD_BUSY, THRESHOLD_FREE, TOKEN, TOKENS_IN, TURN, UPDATES, WAITING, WAITING_HEAD, WAITING_TAIL, WINDOWS_IN_FLIGHT,
    State, Tally,
)
from sfnhw.sim.packed import (
    CALLS, CALLS_END, CHILD, CORE, COST_FIRST, EDGES, EDGES_END, EXITS, EXITS_END, FLIT_CYCLES, KIND, LINK, LINK_CYCLES,
    OWNER, POPULATION, POSITIONS, RUN_FIRST, RUN_STRIDE, STREAMS, TAPS_FIRST, TAPS_STRIDE, TARGET, TERMINAL, WHOM,
    COLUMNS, FEEDS, Packed,
)
from sfnhw.sim.prefetch import prefetch
from sfnhw.sim.tables import CYCLES, STATE, SYNAPSES, WORDS, Fabric, SliceTable
from sfnhw.sim.wheel import BORN, BUCKETS, FRAME, INDEX, NEXT, TURN_BITS, WHAT, WHEEL, cell, deal, int64, place, push
# fmt: on


@nb.njit(nogil=True, cache=True, error_model="numpy")
def advance(
    sent: NDArray[np.uint8], T: int, room: int, s: SliceTable, p: Packed, f: Fabric, state: State, out: Tally,
    wires: Any, network: Any,
) -> bool:  # fmt: skip
    """Go on until all is done (True), or there is no room for what the next event pushes.

    wires, network : of fidelity `flit`; where they are None Numba leaves out all that stands under `is not None`.
    """
    neurons, pins = s.first_neuron[-1], f.cores
    frames, layers = out.layer_start.shape
    V, W, barrier, lanes = f.virtual_channels, f.window, f.barrier, f.threshold_lanes

    # Arrays of tuples under names of their own: see `sfnhw.sim.packed`.
    nodes, edges, exits, calls, runs, taps, costs = p.nodes, p.edges, p.exits, p.calls, p.runs, p.taps, p.costs
    root_first, roots, ready_root_first, ready_roots = p.root_first, p.roots, p.ready_root_first, p.ready_roots
    s_population, s_terminal, s_first_neuron = s.population, s.terminal, s.first_neuron
    part_first, part_owner, s_columns = p.parts.first, p.parts.owner, p.parts.columns
    q, feed_first, feeds = p.parts, p.parts.feed_first, p.parts.feeds
    s_neurons = s.neurons // (part_first[1:] - part_first[:-1])  # of one part
    s_flits, s_update_cycles, s_spike_cycles, s_frames = s.flits, s.update_cycles, s.spike_cycles, s.frames
    p_inputs, p_operands, p_consumers = p.parts.inputs, p.parts.operands, p.parts.consumers
    s_depth, s_is_input = s.depth, s.is_input
    by_slice, by_row, row_ends = out.by_slice.reshape(-1), out.by_row.reshape(-1), out.row_ends.reshape(-1)
    node_packets, node_control = out.node_packets.reshape(-1), out.node_control.reshape(-1)
    layer_start, layer_end = out.layer_start.reshape(-1), out.layer_end.reshape(-1)
    histogram, finish = out.latency_histogram, out.finish
    clock, of, look, links, at = state.clock, state.slices, state.look, state.links, state.at
    outputs_done, tail, many = state.outputs_done, state.tail, state.many
    when_born, events = state.when_born, state.events
    now, step, last_event = clock[NOW], clock[STEP], clock[LAST_EVENT]
    free, pending, waiting, looks = clock[FREE], clock[PENDING], clock[WAITING], clock[LOOKS]
    latency_sum, latency_max, waited, passed = 0, 0, 0, 0
    log, watch, watch_row, noted = out.log, out.watch, out.watch_row, out.noted[0]
    logging = log.shape[0] > 0
    most = events.shape[0] // 8 - BUCKETS - room

    # 1/V ticks are cycles times V: a shift where V is a power of two.
    shift = shift_of(V)
    step_of = np.arange(frames) % T
    slot_of = np.arange(frames) // W % WINDOWS_IN_FLIGHT
    first_step, last_step = clock[FIRST_STEP], clock[LAST_STEP]
    done = False

    while pending + waiting <= most:
        if barrier and pending == 0:
            # The step is over when every packet is worked off; then all used cores synchronise.
            if step > first_step:
                now = last_work(at, last_event) + f.barrier_cycles
                if network is not None:
                    catch_up(wires, network, p, s, state, out, T, now)
                out.steps[0] += 1
                if step - first_step <= out.step_end.shape[0]:
                    out.step_end[step - first_step - 1] = now
                out.carried[0] += any_taken(links, at, now, V)
                for g in range(0, frames, W):
                    # A window is finished with the step in which the last population was updated.
                    if g * f.interval + f.last_due == step - 1:
                        finish[g] = now
            if step > last_step:
                done = True
                break
            looks = look_at_due(look, looks, step, s_depth, s_frames, W, f.interval, frames)
            step += 1
            last_event = max(last_event, now)  # a step with nothing to do takes its barrier, too

        # Start slices whose inputs are complete and whose consumers have room.
        for k in range(looks):
            i = look[k]
            o = part_first[i]
            g = of[cell(o, 32, NEXT_FRAME)]
            if of[cell(o, 32, EMITTING)] > 0 or g >= frames:
                continue
            y = of[cell(o, 32, TURN)]
            slot = slot_of[g]
            if not barrier and g % W == 0:
                if of[cell(o + y, 32, FED_IN + slot)] < p_inputs[o + y]:
                    continue
                if of[cell(o + y, 32, TOKENS_IN + slot)] < p_consumers[o + y]:
                    continue
                of[cell(o + y, 32, TOKENS_IN + slot)] = 0
                of[cell(o + y, 32, FED_IN + slot)] = 0
                of[cell(o + y, 32, OPERANDS_IN + slot)] = 0
            of[cell(o, 32, EMITTING)] = 1
            t0 = now
            base, apart = s_first_neuron[i] + y * s_columns[i], s_columns[i] * (part_first[i + 1] - o - 1)
            walk = -(-s_neurons[i] // lanes) * s_update_cycles[i]
            if s_spike_cycles[i] > 0:
                groups = spiking_groups(sent, g * neurons + base, s_neurons[i], lanes, s_columns[i], apart)
                walk += s_spike_cycles[i] * groups
            if not s_is_input[i]:
                core = s_terminal[i]
                t0 = max(now, at[cell(core, 16, THRESHOLD_FREE)])
                at[cell(core, 16, THRESHOLD_FREE)] = t0 + walk
                at[cell(core, 16, THRESHOLD_BUSY)] += walk
                by_slice[cell(i * T + step_of[g], 6, UPDATES)] += s_neurons[i]
                if logging and watch[i]:
                    noted = note(log, noted, THRESHOLD, t0, t0 + walk, core, i, y, g, s_neurons[i])
            of[cell(o, 32, PHASE_START)] = t0
            of[cell(o, 32, PHASE_END)] = t0 + walk
            if network is not None:
                announce(wires, network, o + y, g, sent, g * neurons + base, s_neurons[i], s_columns[i], apart)
            layer = s_population[i]
            if layer_start[cell(g, layers, layer)] < 0 or layer_start[cell(g, layers, layer)] > t0:
                layer_start[cell(g, layers, layer)] = t0
            layer_end[cell(g, layers, layer)] = max(layer_end[cell(g, layers, layer)], of[cell(o, 32, PHASE_END)])
            # Find the first packet.
            j = next_sender(sent, g * neurons + base, 0, s_neurons[i], s_columns[i], apart)
            when = of[cell(o, 32, PHASE_END)]
            if j < s_neurons[i]:
                of[cell(o, 32, LEFT)] = sent[cell(g, neurons, base + j + j // s_columns[i] * apart)]
                of[cell(o, 32, BEYOND)] = s_spike_cycles[i]
                when = t0 + (j // lanes + 1) * s_update_cycles[i] + of[cell(o, 32, BEYOND)]
            free = push(when_born, events, tail, many, free, now, when, when, i << 3 | EMIT, j, g)
            pending += 1
        looks = 0

        if pending == 0:
            if barrier:
                continue
            done = True
            break

        # Find the next event.
        bucket = now & (WHEEL - 1)
        e = int64(events[cell(bucket, 8, NEXT)])
        if e < 0:
            idle = True
            if network is not None:
                idle = not busy(network)
                if not idle and network.listed[CYCLE] <= now:
                    clock[FREE], clock[PENDING] = free, pending
                    step_network(wires, network, p, s, state, out, T, now)
                    free, pending = clock[FREE], clock[PENDING]
                    continue
            now += 1
            while idle and now & (WHEEL - 1) and tail[place(now & (WHEEL - 1))] < BUCKETS:
                now += 1
            if now & (WHEEL - 1) == 0:
                deal(when_born, events, tail, many, now >> TURN_BITS)
            continue
        after = int64(events[cell(e, 8, NEXT)])
        events[cell(bucket, 8, NEXT)] = after
        if after < 0:
            tail[place(bucket)] = bucket
            prefetch(events, cell(int64(events[cell((now + 1) & (WHEEL - 1), 8, NEXT)]), 8, 0))
        else:
            prefetch(events, cell(after, 8, 0))
        what = int64(events[cell(e, 8, WHAT)])
        kind, where = what & 7, what >> 3
        index, g = int64(events[cell(e, 8, INDEX)]), int64(events[cell(e, 8, FRAME)])
        born = when_born[cell(e, 4, BORN)]
        events[cell(e, 8, NEXT)] = free
        free = e
        pending -= 1
        if network is not None:  # noqa: SIM102
            if kind == ENTRY:
                network.entries[where] += 1
                continue
        t = step_of[place(g)]
        last_event = max(last_event, now)

        if kind in (FED, OPERAND):
            slot = (slot_of[place(g)] + index) % WINDOWS_IN_FLIGHT
            of[cell(where, 32, FED_IN + slot)] += 1
            look[looks] = part_owner[where]
            looks += 1
            if kind == FED:
                continue
            of[cell(where, 32, OPERANDS_IN + slot)] += 1
            if of[cell(where, 32, OPERANDS_IN + slot)] < p_operands[where]:
                continue
            # The operand is complete: what waited for it in this frame goes on, in order.
            freed = release(when_born, events, of, tail, where, g, now)
            waiting, pending = waiting - freed, pending + freed
            continue
        if kind == TOKEN:
            of[cell(where, 32, TOKENS_IN + (slot_of[place(g)] + index) % WINDOWS_IN_FLIGHT)] += 1
            look[looks] = part_owner[where]
            looks += 1
            continue

        if kind == EMIT:
            i, o = where, part_first[where]
            terminal, y = s_terminal[i], of[cell(o, 32, TURN)]
            is_packet = index < s_neurons[i]
            first, last = root_first[i], root_first[i + 1]
            # A packet names its neuron within the slice, in channel-major order: a row's are apart from channel to channel.
            begun, apart = y * s_columns[i], s_columns[i] * (part_first[i + 1] - o - 1)
            flits, mark = s_flits[i], index + begun + index // s_columns[i] * apart
            if is_packet:
                by_slice[cell(i * T + t, 6, SENT)] += 1
            else:
                # The end of the frame: all spikes are out (end marker); of the window: the bank is free again (token).
                flits, mark = 1, END - 2 * y
                if barrier:
                    first = last
                else:
                    if not s_is_input[i] and g % W == s_frames[i] - 1:
                        by_slice[cell(i * T + t, 6, READIES)] += 1
                        for k in range(ready_root_first[i], ready_root_first[i + 1]):
                            at[cell(terminal, 16, INJECTION_BUSY)] += f.port_cycles
                            pending += 1
                            if network is not None:
                                what = ready_roots[k] << 1
                                free = enqueue(wires, network, state, free, terminal, what, READY - 2 * y, g, now, now)
                                continue
                            when = max(now, at[cell(terminal, 16, INJECTION_FREE)]) + f.port_cycles
                            at[cell(terminal, 16, INJECTION_FREE)] = when
                            if logging and watch[i]:
                                begin = when - f.port_cycles
                                noted = note(log, noted, INJECT, begin, when, terminal, i, READY - 2 * y, g, now)
                            when += f.injection_cycles - 1
                            what = ready_roots[k] << 3 | HOP
                            free = push(when_born, events, tail, many, free, now, when, now, what, READY - 2 * y, g)
                    by_slice[cell(i * T + t, 6, ENDS)] += 1
            # Flits go on back to back, the last of them with the packet's last bit: over narrow pins, or at a slow port,
            # the head waits.
            cycles = max(flits, f.port_cycles)
            if terminal == pins:
                cycles = over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)
            start = now
            for k in range(first, last):
                at[cell(terminal, 16, INJECTION_BUSY)] += cycles
                pending += 1
                if network is not None:
                    told = is_packet and k == last - 1
                    free = enqueue(wires, network, state, free, terminal, roots[k] << 1 | told, mark, g, born, now)
                    continue
                start = max(now, at[cell(terminal, 16, INJECTION_FREE)]) + cycles
                at[cell(terminal, 16, INJECTION_FREE)] = start
                if logging and watch[i]:
                    noted = note(log, noted, INJECT, start - cycles, start, terminal, i, mark, g, born)
                start -= flits
                when = start + f.injection_cycles
                free = push(when_born, events, tail, many, free, now, when, born, roots[k] << 3 | HOP, mark, g)
            if is_packet:
                # The next packet: when the threshold unit has it, and not before this one is in the network.
                of[cell(o, 32, LEFT)] -= 1
                j = index
                if of[cell(o, 32, LEFT)] == 0:
                    by_slice[cell(i * T + t, 6, SPIKES)] += 1
                    base = s_first_neuron[i] + begun
                    j = next_sender(sent, g * neurons + base, j + 1, s_neurons[i], s_columns[i], apart)
                    if j < s_neurons[i]:
                        of[cell(o, 32, LEFT)] = sent[cell(g, neurons, base + j + j // s_columns[i] * apart)]
                        if j // lanes != index // lanes:
                            of[cell(o, 32, BEYOND)] += s_spike_cycles[i]
                ready = of[cell(o, 32, PHASE_END)]
                if j < s_neurons[i]:
                    walked = (j // lanes + 1) * s_update_cycles[i]
                    ready = of[cell(o, 32, PHASE_START)] + walked + of[cell(o, 32, BEYOND)]
                if network is not None:  # noqa: SIM102
                    if last > first:
                        of[cell(o, 32, NEXT_NEURON)], of[cell(o, 32, NEXT_READY)] = j, ready
                        continue
                when = max(ready, max(now, start))
                free = push(when_born, events, tail, many, free, now, when, ready, i << 3 | EMIT, j, g)
                pending += 1
                layer = s_population[i]
                layer_end[cell(g, layers, layer)] = max(layer_end[cell(g, layers, layer)], when)
            else:
                of[cell(o, 32, EMITTING)] = 0
                # The part's next frame of the window, then the next part's, then those of the next window.
                if g % W < s_frames[i] - 1:
                    of[cell(o, 32, NEXT_FRAME)] = g + 1
                elif o + y + 1 < part_first[i + 1]:
                    of[cell(o, 32, NEXT_FRAME)], of[cell(o, 32, TURN)] = g // W * W, y + 1
                else:
                    of[cell(o, 32, NEXT_FRAME)], of[cell(o, 32, TURN)] = (g // W + 1) * W, 0
                if not barrier:
                    look[looks] = i
                    looks += 1
            continue

        # A packet's head enters a router; or (STREAM) one that waited at a core goes on, as if it left an exit now.
        exit_, end = -1, 0
        owner, flits, leave, ticks = 0, 1, now, 0
        entry, until = -1, now
        if network is not None:
            # At fidelity `flit` it is out of the network, with its last flit, at an exit.
            if kind == HOP:
                exit_, end, owner = where, where + 1, int64(wires.exit_owner[place(where)])
        elif kind == HOP:
            owner = int64(nodes[cell(where, 8, OWNER)])
            if index >= 0:
                flits = s_flits[place(owner)]
                node_packets[cell(where, T, t)] += 1
            else:
                node_control[cell(where, T, t)] += 1
            leave = now + f.router_cycles
            ticks, least = max(flits * V, f.hold_cycles), max(f.hold_cycles, flits * f.credit_ticks)
            passed += 1
            for k in range(nodes[cell(where, 8, EDGES)], nodes[cell(where, 8, EDGES_END)]):
                link = edges[cell(k, 4, LINK)]
                begin = max(links[cell(link, 2, 0)], leave * V)
                held = flits * edges[cell(k, 4, FLIT_CYCLES)]
                links[cell(link, 2, 0)] = begin + max(held * V, least)
                waited += begin - leave * V
                links[cell(link, 2, 1)] += held
                depart = (begin + V - 1) >> shift if shift >= 0 else (begin + V - 1) // V
                if logging and watch[owner]:
                    noted = note(log, noted, ON_LINK, depart, depart + held, link, owner, index, g, born)
                when = depart + edges[cell(k, 4, LINK_CYCLES)] + held - flits
                what = int64(edges[cell(k, 4, CHILD)]) << 3 | HOP
                free = push(when_born, events, tail, many, free, now, when, born, what, index, g)
                pending += 1
            exit_, end = int64(nodes[cell(where, 8, EXITS)]), int64(nodes[cell(where, 8, EXITS_END)])
        while exit_ < end:
            low, high, arrive = where, where + 1, now
            if exit_ >= 0:
                terminal = exits[cell(exit_, 4, TERMINAL)]
                low, high = int64(exits[cell(exit_, 4, CALLS)]), int64(exits[cell(exit_, 4, CALLS_END)])
                if network is not None:
                    entry = int64(wires.exit_entry[place(exit_)])
                else:
                    hold, beyond = ticks, flits
                    if terminal == pins:
                        beyond = over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)
                        hold = max(ticks, V * beyond)
                    begin = max(at[cell(terminal, 16, EJECTION_FREE)], leave * V)
                    at[cell(terminal, 16, EJECTION_FREE)] = begin + hold
                    waited += begin - leave * V
                    depart = (begin + V - 1) >> shift if shift >= 0 else (begin + V - 1) // V
                    arrive = depart + f.ejection_cycles + beyond - 1
                    if logging and watch[owner]:
                        noted = note(log, noted, EJECT, depart, arrive, terminal, owner, index, g, born)
                if index >= 0:
                    by_slice[cell(owner * T + t, 6, DELIVERED)] += 1
                    latency = arrive - born
                    histogram[min(latency, LATENCY_BINS - 1)] += 1
                    latency_sum += latency
                    latency_max = max(latency_max, latency)
                elif (READY - index) & 1 == 0:
                    for k in range(low, high):
                        y = READY - index >> 1
                        free, woken = wake(
                            when_born, events, tail, many, free, now, arrive, born, calls, q, k, y, g, TOKEN
                        )
                        pending += woken
                    high = low
                if terminal == pins and (index >= 0 or (END - index) & 1 == 0):
                    # At the pins the last end marker of the last timestep completes the inference.
                    last_event = max(last_event, arrive)
                    layer = s_population[owner]
                    layer_end[cell(g, layers, layer)] = max(layer_end[cell(g, layers, layer)], arrive)
                    if index < 0:
                        outputs_done[g] += 1
                        finish[g] = max(finish[g], arrive)
                    high = low
            exit_ += 1
            for k in range(low, high):
                target = int64(calls[cell(k, 16, TARGET)])
                waits = False
                if calls[cell(k, 16, KIND)] == STREAMS:
                    # A packet waits at the first part that its row feeds: none of these starts before it is worked off.
                    y = END - index >> 1
                    if index >= 0:
                        y = index % int64(calls[cell(k, 16, POSITIONS)]) // int64(calls[cell(k, 16, COLUMNS)])
                    row = int64(calls[cell(k, 16, FEEDS)]) + y
                    if feed_first[place(row)] < feed_first[place(row + 1)]:
                        target += feeds[place(feed_first[place(row)])]
                        waits = of[cell(target, 32, OPERANDS_IN + slot_of[place(g)])] < p_operands[target]
                if waits:
                    e = free
                    free = int64(events[cell(e, 8, NEXT)])
                    when_born[cell(e, 4, BORN)] = born
                    events[cell(e, 8, WHAT)], events[cell(e, 8, INDEX)] = k << 3 | STREAM, index
                    events[cell(e, 8, FRAME)], events[cell(e, 8, NEXT)] = g, -1
                    if of[cell(target, 32, WAITING_TAIL)] >= 0:
                        events[cell(of[cell(target, 32, WAITING_TAIL)], 8, NEXT)] = e
                    else:
                        of[cell(target, 32, WAITING_HEAD)] = e
                    of[cell(target, 32, WAITING_TAIL)] = e
                    waiting += 1
                    continue
                # At the slice: axon look-up, then the synapse lanes.
                core, row = calls[cell(k, 16, CORE)], calls[cell(k, 16, WHOM)]
                looked_up = max(arrive, at[cell(core, 16, AXON_FREE)])
                at[cell(core, 16, AXON_FREE)] = looked_up + f.axon_cycles
                at[cell(core, 16, AXON_BUSY)] += f.axon_cycles
                if logging and watch_row[row]:
                    noted = note(log, noted, AXON, looked_up, looked_up + f.axon_cycles, core, row, index, g, born)
                begin = max(looked_up + f.axon_cycles, at[cell(core, 16, SYNAPSE_FREE)])
                until = max(until, begin)
                if index < 0:
                    row_ends[cell(row, T, t)] += 1
                    y = END - index >> 1
                    if network is not None:  # noqa: SIM102
                        if not ended(wires, network, row, y, g):
                            continue  # packets that it ends are still on their way
                    free, woken = wake(when_born, events, tail, many, free, now, begin, born, calls, q, k, y, g, FED)
                    pending += woken
                    continue
                major, minor = index, 0
                if calls[cell(k, 16, POSITIONS)] > 1:
                    divisor = np.uint32(calls[cell(k, 16, POSITIONS)])
                    quotient = np.uint32(index) // divisor
                    major, minor = int64(quotient), int64(np.uint32(index) - quotient * divisor)
                run = runs[place(calls[cell(k, 16, RUN_FIRST)] + major * calls[cell(k, 16, RUN_STRIDE)])]
                cost = calls[cell(k, 16, COST_FIRST)] + run
                runs_each = taps[place(calls[cell(k, 16, TAPS_FIRST)] + minor * calls[cell(k, 16, TAPS_STRIDE)])]
                cycles = runs_each * costs[cell(cost, 4, CYCLES)]
                at[cell(core, 16, SYNAPSE_FREE)] = begin + cycles
                at[cell(core, 16, SYNAPSE_BUSY)] += cycles
                if logging and watch_row[row]:
                    synapses = runs_each * costs[cell(cost, 4, SYNAPSES)]
                    noted = note(log, noted, SYNAPSE, begin, begin + cycles, core, row, index, g, synapses)
                by_row[cell(row * T + t, 4, PACKETS)] += 1
                by_row[cell(row * T + t, 4, SYNAPSES)] += runs_each * costs[cell(cost, 4, SYNAPSES)]
                by_row[cell(row * T + t, 4, WORDS)] += runs_each * costs[cell(cost, 4, WORDS)]
                by_row[cell(row * T + t, 4, STATE)] += runs_each * costs[cell(cost, 4, STATE)]
                layer = calls[cell(k, 16, POPULATION)]
                if layer_start[cell(g, layers, layer)] < 0 or layer_start[cell(g, layers, layer)] > looked_up:
                    layer_start[cell(g, layers, layer)] = looked_up
                layer_end[cell(g, layers, layer)] = max(layer_end[cell(g, layers, layer)], begin + cycles)
                if network is not None:
                    y = worked_off(wires, network, row, index, g)
                    if y >= 0:
                        when = begin + cycles
                        free, woken = wake(when_born, events, tail, many, free, now, when, born, calls, q, k, y, g, FED)
                        pending += woken
            if network is not None:  # noqa: SIM102
                if entry >= 0:
                    # Its place in the input buffer is free again when the lanes have begun with it.
                    when = until + wires.entry_back
                    free = push(when_born, events, tail, many, free, now, when, when, entry << 3 | ENTRY, 0, g)
                    pending += 1

    out.noted[0] = noted
    clock[NOW], clock[STEP], clock[LAST_EVENT] = now, step, last_event
    clock[FREE], clock[PENDING], clock[WAITING], clock[LOOKS] = free, pending, waiting, looks
    out.latency_total[0] += latency_sum
    out.waits[0, 0] += waited
    out.waits[0, 1] += passed
    out.latency_total[1] = max(out.latency_total[1], latency_max)
    return done
