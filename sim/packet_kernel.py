"""The packet-level kernel: every spike packet through core pipelines and routers, event by event.

One loop, which allocates nothing, so that references to arrays need not be counted (`sfnhw.kernel_cache`). Time is in integer
cycles. Servers (injection, links, ejection, axon look-up, synapse lanes, threshold unit) serve in order of arrival with
unbounded queues: contention is modelled, back-pressure of finite buffers is not. At fidelity `flit` the cores are these, and
between their queues and their input buffers is the network of `sfnhw.sim.flits`, a cycle of it after each cycle's events.
What it models is told in `sfnhw.sim.running`, through which it is run.
"""

from typing import Any  # noqa: I001

import numba as nb
import numpy as np
from numpy.typing import NDArray

# Columns of records are so many that one a line would be half of this file.
# fmt: off
from sfnhw.kernel_cache import COMPILED
from sfnhw.sim.bundles import Bundles
from sfnhw.sim.event_records import AXON, EJECT, INJECT, LINK as ON_LINK, SYNAPSE, THRESHOLD
from sfnhw.sim.flits.counting import announce, ended, worked_off
from sfnhw.sim.flits.cycle import busy, catch_up, enqueue, step as step_network
from sfnhw.sim.flits.state import CYCLE
from sfnhw.sim.kernel_parts import (
    add_waits, any_taken, cycle_of, end_step, entered, has_synapses, last_work, look_at_due, next_sender, note, over_pins, park,
    parts_of, release, runs_of, share_of, shift_of, stretch, tail_of, take_turn, wake, walk_cycles,
)
from sfnhw.sim.kernel_state import (
    AXON_BUSY, AXON_FREE, BEYOND, DELIVERED, EJECTION_FREE, EMIT, EMITTING, END, ENDS, ENTRY, FED, FED_IN, FIRST_STEP, FREE,
    HOP, INJECTION_BUSY, INJECTION_FREE, LAST_EVENT, LAST_STEP, LATENCY_BINS, LEFT, LOOKS, NEXT_FRAME, NEXT_NEURON, NEXT_READY, NOW,
    OPERAND, OPERANDS_IN, PACKETS, PENDING, PHASE_END, PHASE_START, READIES, READY, SENT, SPIKES, STEP, SYNAPSE_BUSY, SYNAPSE_FREE,
    THRESHOLD_BUSY, THRESHOLD_FREE, TOKEN, TOKENS_IN, TURN, UPDATES, WAITING, WINDOWS_IN_FLIGHT,
    State, Tally,
)
from sfnhw.sim.packed import (
    ALONE, CALLS, CALLS_END, CHILD, COLUMNS, CORE, EDGES, EDGES_END, EXITS, EXITS_END, FEEDS, FLIT_CYCLES, KIND,
    LINK, LINK_CYCLES, OWNER, POPULATION, POSITIONS, SOURCE, STREAMS, TARGET, TERMINAL, VC_CLASS, WHOM, Packed,
)
from sfnhw.sim.prefetch import prefetch
from sfnhw.sim.tables import CYCLES, STATE, SYNAPSES, WORDS, Fabric, SliceTable
from sfnhw.sim.wheel import BORN, BUCKETS, FRAME, INDEX, NEXT, TURN_BITS, WHAT, WHEEL, cell, deal, int64, place, push
# fmt: on

Ints = NDArray[np.int64]


@nb.njit(**COMPILED)
def advance(
    sent: NDArray[np.uint8], T: int, room: int, s: SliceTable, p: Packed, f: Fabric, state: State, out: Tally,
    b: Bundles | None, wires: Any, network: Any, s_neurons: Ints, step_of: Ints, slot_of: Ints, heads: Ints,
) -> bool:  # fmt: skip
    """Go on until all is done (True), or there is no room for what the next event pushes.

    Where b is None each packet is one address event; wires and network are of fidelity `flit`. Numba leaves out what is for None.
    s_neurons : (slices,) of one part; step_of, slot_of : (frames,) timestep, place among windows in flight; heads : of `deal`.
    """
    neurons, slices, all_parts = s.first_neuron[-1], s.neurons.shape[0], p.parts.owner.shape[0]
    frames, layers = out.layer_start.shape
    ch, V, W, barrier, lanes, pins = f.channels, f.channels.ticks, f.window, f.barrier, f.threshold_lanes, f.cores
    nodes, edges, exits, calls, runs, taps, costs = p.nodes, p.edges, p.exits, p.calls, p.runs, p.taps, p.costs
    root_first, roots, ready_root_first, ready_roots = p.root_first, p.roots, p.ready_root_first, p.ready_roots
    copy_first, per_neuron, overlap, held_up = p.copy_first, f.per_neuron, f.axon_overlap, f.waits_for_port
    s_population, s_terminal, s_first_neuron, s_depth = s.population, s.terminal, s.first_neuron, s.depth
    part_first, part_owner, s_columns = p.parts.first, p.parts.owner, p.parts.columns
    parts, feed_first, feeds, s_is_input = p.parts, p.parts.feed_first, p.parts.feeds, s.is_input
    s_flits, s_update_cycles, s_spike_cycles, s_frames = s.flits, s.update_cycles, s.spike_cycles, s.frames
    p_inputs, p_operands, p_consumers = p.parts.inputs, p.parts.operands, p.parts.consumers
    by_slice, by_row, row_ends = out.by_slice.reshape(-1), out.by_row.reshape(-1), out.row_ends.reshape(-1)
    node_packets, node_control = out.node_packets.reshape(-1), out.node_control.reshape(-1)
    layer_start, layer_end = out.layer_start.reshape(-1), out.layer_end.reshape(-1)
    n_rows, n_nodes, finish = out.by_row.shape[1], out.node_packets.shape[1], out.finish
    if b is not None:
        b_first, b_part_first, b_flits, b_ready, b_lead = b.first, b.part_first, b.flits, b.ready, b.lead
        b_neurons, b_spikes_first, b_spikes = b.neurons, b.spikes_first, b.spikes
        sent_spikes, sent_flits = out.sent_spikes.reshape(-1), out.sent_flits.reshape(-1)
        row_spikes, node_flits = out.row_spikes.reshape(-1), out.node_flits.reshape(-1)
    clock, of, look, links, at = state.clock, state.slices, state.look, state.links, state.at
    outputs_done, tail, many = state.outputs_done, state.tail, state.many
    when_born, events = state.when_born, state.events
    now, step, last_event = clock[NOW], clock[STEP], clock[LAST_EVENT]
    free, pending, waiting, looks = clock[FREE], clock[PENDING], clock[WAITING], clock[LOOKS]
    latency_sum, latency_max, waited, passed, shift = 0, 0, 0, 0, shift_of(V)
    log, watch, watch_row, noted, histogram = out.log, out.watch, out.watch_row, out.noted[0], out.latency_histogram
    logging = log.shape[0] > 0
    most = events.shape[0] // 8 - BUCKETS - room
    first_step, last_step, done = clock[FIRST_STEP], clock[LAST_STEP], False

    while pending + waiting <= most:
        if barrier and pending == 0:
            # The step is over when every packet is worked off; then all used cores synchronise.
            if step > first_step:
                now = last_work(at, last_event) + f.barrier_cycles
                if network is not None:
                    catch_up(wires, network, p, s, state, out, T, now)
                end_step(
                    out, step - first_step, step - 1 - f.last_due, W, f.interval, now, any_taken(links, at, now, V)
                )
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
            walk = walk_cycles(sent, g, i, y, base, s_neurons[i], s_columns[i], apart, s, p, f, b)
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
                first = g * neurons + base
                announce(wires, network, o + y, g, sent, first, s_neurons[i], s_columns[i], apart, b)
            stretch(layer_start, layer_end, cell(g, layers, s_population[i]), t0, of[cell(o, 32, PHASE_END)])
            # Find the first packet.
            j, when = 0, of[cell(o, 32, PHASE_END)]
            if b is not None:
                of[cell(o, 32, BEYOND)], k_th = 0, b_part_first[g * all_parts + o + y]
                j = k_th - b_first[g * slices + i]
                if k_th < b_part_first[g * all_parts + o + y + 1]:
                    when = t0 + b_ready[k_th]
            else:
                j = next_sender(sent, g * neurons + base, 0, s_neurons[i], s_columns[i], apart)
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
                deal(when_born, events, tail, many, heads, now >> TURN_BITS)
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

        if kind in (FED, OPERAND, TOKEN):
            slot = (slot_of[place(g)] + index) % WINDOWS_IN_FLIGHT
            look[looks] = part_owner[where]
            looks += 1
            if kind == TOKEN:
                of[cell(where, 32, TOKENS_IN + slot)] += 1
                continue
            of[cell(where, 32, FED_IN + slot)] += 1
            if kind == FED:
                continue
            of[cell(where, 32, OPERANDS_IN + slot)] += 1
            if of[cell(where, 32, OPERANDS_IN + slot)] < p_operands[where]:
                continue
            # The operand is complete: what waited for it in this frame goes on, in order.
            freed = release(when_born, events, of, tail, where, g, now)
            waiting, pending = waiting - freed, pending + freed
            continue

        if kind == EMIT:
            i, o = where, part_first[where]
            terminal, y = s_terminal[i], of[cell(o, 32, TURN)]
            first, last = root_first[i], root_first[i + 1]
            # A packet names its neuron within the slice, in channel-major order: a row's are apart from channel to channel.
            begun, apart = y * s_columns[i], s_columns[i] * (part_first[i + 1] - o - 1)
            flits, mark = s_flits[i], index + begun + index // s_columns[i] * apart
            if b is None:
                is_packet = index < s_neurons[i]
            else:
                mark, k_th = index, b_first[g * slices + i] + index
                is_packet = k_th < b_part_first[g * all_parts + o + y + 1]
                if is_packet:
                    flits = int64(b_flits[k_th])
                    sent_flits[i * T + t] += flits
                    sent_spikes[i * T + t] += b_spikes_first[k_th + 1] - b_spikes_first[k_th]
                    by_slice[cell(i * T + t, 6, SPIKES)] += b_neurons[k_th]
            if is_packet:
                by_slice[cell(i * T + t, 6, SENT)] += 1
                if b is None and per_neuron:
                    j = s_first_neuron[i] + mark
                    first, last = copy_first[j], copy_first[j + 1]
            else:
                # The end of the frame: all spikes are out (end marker); of the window: the bank is free again (token).
                flits, mark = 1, READY - 2 * y
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
                                free = enqueue(wires, network, state, free, terminal, what, mark, g, 1, now, now)
                                continue
                            when = max(now, at[cell(terminal, 16, INJECTION_FREE)]) + f.port_cycles
                            at[cell(terminal, 16, INJECTION_FREE)] = when
                            if logging and watch[i]:
                                begin = when - f.port_cycles
                                noted = note(log, noted, INJECT, begin, when, terminal, i, mark, g, now)
                            when = entered(at, terminal, when - 1, 1, ch, shift) + f.injection_cycles
                            what = ready_roots[k] << 3 | HOP
                            free = push(when_born, events, tail, many, free, now, when, now, what, mark, g)
                    by_slice[cell(i * T + t, 6, ENDS)] += 1
                mark = END - 2 * y
            # Flits go back to back, the last with the packet's last bit: over narrow pins, or at a slow port, the head waits.
            cycles = max(flits, f.port_cycles)
            if terminal == pins:
                cycles = over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den)
            start = now
            for k in range(first, last):
                at[cell(terminal, 16, INJECTION_BUSY)] += cycles
                pending += 1
                if network is not None:
                    what = roots[k] << 1 | (is_packet and k == last - 1)
                    free = enqueue(wires, network, state, free, terminal, what, mark, g, flits, born, now)
                    continue
                start = max(now, at[cell(terminal, 16, INJECTION_FREE)]) + cycles
                at[cell(terminal, 16, INJECTION_FREE)] = start
                if logging and watch[i]:
                    noted = note(log, noted, INJECT, start - cycles, start, terminal, i, mark, g, born)
                start -= flits
                when = entered(at, terminal, start, flits, ch, shift) + f.injection_cycles
                free = push(when_born, events, tail, many, free, now, when, born, roots[k] << 3 | HOP, mark, g)
            if is_packet:
                # The next packet: when the threshold unit has it, and not before this one is in the network.
                j, ready = index, of[cell(o, 32, PHASE_END)]
                of[cell(o, 32, BEYOND)] += cycles * (last - first) * (held_up and terminal != pins)
                if b is not None:
                    j, k_th = j + 1, k_th + 1
                    if k_th < b_part_first[g * all_parts + o + y + 1]:
                        ready = of[cell(o, 32, PHASE_START)] + b_ready[k_th] + of[cell(o, 32, BEYOND)]
                else:
                    of[cell(o, 32, LEFT)] -= 1
                    if of[cell(o, 32, LEFT)] == 0:
                        by_slice[cell(i * T + t, 6, SPIKES)] += 1
                        base = s_first_neuron[i] + begun
                        j = next_sender(sent, g * neurons + base, j + 1, s_neurons[i], s_columns[i], apart)
                        if j < s_neurons[i]:
                            of[cell(o, 32, LEFT)] = sent[cell(g, neurons, base + j + j // s_columns[i] * apart)]
                            if j // lanes != index // lanes:
                                of[cell(o, 32, BEYOND)] += s_spike_cycles[i]
                    if j < s_neurons[i]:
                        ready = of[cell(o, 32, PHASE_START)] + (j // lanes + 1) * s_update_cycles[i]
                        ready += of[cell(o, 32, BEYOND)]
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
                take_turn(of, o, y, part_first[i + 1] - o, g, W, s_frames[i])
                if not barrier:
                    look[looks] = i
                    looks += 1
            continue

        # A packet's head enters a router; or (STREAM) one that waited at a core goes on, as if it left an exit now.
        exit_, end, entry, until = -1, 0, -1, now
        owner, flits, leave, ticks = 0, 1, now, 0
        if network is not None:
            # At fidelity `flit` it is out of the network, with its last flit, at an exit.
            if kind == HOP:
                exit_, end, owner = where, where + 1, int64(wires.exit_owner[place(where)])
        elif kind == HOP:
            owner = int64(nodes[cell(where, 4, OWNER)])
            if index >= 0:
                flits = s_flits[place(owner)]
                if b is not None:
                    flits = int64(b_flits[b_first[g * slices + owner] + index])
                    node_flits[cell(t, n_nodes, where)] += flits
                node_packets[cell(t, n_nodes, where)] += 1
            else:
                node_control[cell(t, n_nodes, where)] += 1
            leave = now + f.router_cycles
            ticks, moved, passed = ch.share * parts_of(ch.exit, flits), flits * ch.moves * V, passed + 1
            vc_class = int64(nodes[cell(where, 4, VC_CLASS)])
            least, lane = share_of(ch, vc_class) * parts_of(ch.link, flits), 4 * f.routers * vc_class
            for k in range(nodes[cell(where, 4, EDGES)], nodes[cell(where, 4, EDGES_END)]):
                link = edges[cell(k, 4, LINK)]
                begin = max(max(links[cell(link, 2, 0)], links[cell(link + lane, 2, 0)]), leave * V)
                held = flits * edges[cell(k, 4, FLIT_CYCLES)]
                links[cell(link, 2, 0)] = begin + max(held * V, moved)
                links[cell(link + lane, 2, 0)] = begin + max(max(held * V, moved), least)
                waited += begin - leave * V
                links[cell(link, 2, 1)] += held
                depart = cycle_of(begin, V, shift)
                if logging and watch[owner]:
                    noted = note(log, noted, ON_LINK, depart, depart + held, link + lane, owner, index, g, born)
                when = depart + edges[cell(k, 4, LINK_CYCLES)] + held - flits
                what = int64(edges[cell(k, 4, CHILD)]) << 3 | HOP
                free = push(when_born, events, tail, many, free, now, when, born, what, index, g)
                pending += 1
            exit_, end = int64(nodes[cell(where, 4, EXITS)]), int64(nodes[cell(where, 4, EXITS_END)])
        while exit_ < end:
            low, high, arrive = where, where + 1, now
            if exit_ >= 0:
                terminal = exits[cell(exit_, 2, TERMINAL)]
                low, high = int64(exits[cell(exit_, 2, CALLS)]), int64(exits[cell(exit_, 2, CALLS_END)])
                if network is not None:
                    entry = int64(wires.exit_entry[place(exit_)])
                else:
                    hold, beyond = ticks, 1 + tail_of(flits, ch.moves, ch.crossing)
                    if terminal == pins:
                        beyond = max(beyond, over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den))
                        hold = max(ticks, V * over_pins(flits, f.io_flit_cycles_num, f.io_flit_cycles_den))
                    begin = max(at[cell(terminal, 16, EJECTION_FREE)], leave * V)
                    at[cell(terminal, 16, EJECTION_FREE)] = begin + hold
                    waited += begin - leave * V
                    depart = cycle_of(begin, V, shift)
                    arrive = depart + f.ejection_cycles + beyond - 1
                    if logging and watch[owner]:
                        noted = note(log, noted, EJECT, depart, arrive, terminal, owner, index, g, born)
                last_event = max(last_event, arrive)  # not all packets are looked up, nor do all words wake a part
                if index >= 0:
                    by_slice[cell(owner * T + t, 6, DELIVERED)] += 1
                    latency = arrive - born
                    histogram[min(latency, LATENCY_BINS - 1)] += 1
                    latency_sum += latency
                    latency_max = max(latency_max, latency)
                elif (READY - index) & 1 == 0:
                    for k in range(low, high):
                        y = READY - index >> 1
                        free, woken = wake(state, free, now, arrive, born, calls, parts, k, y, g, TOKEN)
                        pending += woken
                    high = low
                if terminal == pins and (index >= 0 or (END - index) & 1 == 0):
                    # The last of results and end markers completes the inference: at `flit` either may overtake the other.
                    layer = s_population[owner]
                    layer_end[cell(g, layers, layer)] = max(layer_end[cell(g, layers, layer)], arrive)
                    outputs_done[g] += index < 0
                    if not barrier:
                        finish[g] = max(finish[g], arrive)
                    high = low
            exit_ += 1
            for k in range(low, high):
                if b is None:  # noqa: SIM102
                    if per_neuron and index >= 0 and high - low > 1 and not has_synapses(p, k, index):
                        continue
                target, waits, named = int64(calls[cell(k, 16, TARGET)]), False, index
                if b is not None and index >= 0:
                    k_th = b_first[g * slices + calls[cell(k, 16, SOURCE)]] + index
                    named = int64(b_lead[k_th])
                if calls[cell(k, 16, KIND)] == STREAMS:
                    # A packet waits at the first part that its row feeds: none of these starts before it is worked off.
                    y = END - index >> 1
                    if index >= 0:
                        y = named % int64(calls[cell(k, 16, POSITIONS)]) // int64(calls[cell(k, 16, COLUMNS)])
                    row = int64(calls[cell(k, 16, FEEDS)]) + y
                    if feed_first[place(row)] < feed_first[place(row + 1)]:
                        target += feeds[place(feed_first[place(row)])]
                        waits = of[cell(target, 32, OPERANDS_IN + slot_of[place(g)])] < p_operands[target]
                if waits:
                    free = park(when_born, events, of, target, free, k, index, g, born)
                    waiting += 1
                    continue
                # At the slice: axon look-up, then the synapse lanes. The spikes of a packet go one after the other, with one
                # look-up for all, or one for each.
                core, row = calls[cell(k, 16, CORE)], calls[cell(k, 16, WHOM)]
                q, q_end = 0, 1
                if b is not None and index >= 0:
                    q, q_end = b_spikes_first[k_th], b_spikes_first[k_th + 1]
                    row_spikes[t * n_rows + row] += q_end - q
                    if q == q_end and calls[cell(k, 16, ALONE)]:
                        by_row[cell(t * n_rows + row, 4, PACKETS)] += 1
                        if network is not None:
                            free, woken = worked_off(wires, network, state, row, named, g, free, now, arrive, p, k)
                            pending += woken
                        continue
                looked_up = max(arrive, at[cell(core, 16, AXON_FREE)])
                at[cell(core, 16, AXON_FREE)] = looked_up + f.axon_cycles
                at[cell(core, 16, AXON_BUSY)] += f.axon_cycles
                if logging and watch_row[row]:
                    noted = note(log, noted, AXON, looked_up, looked_up + f.axon_cycles, core, row, index, g, born)
                begin = max(looked_up + f.axon_cycles, at[cell(core, 16, SYNAPSE_FREE)])
                until = max(until, begin)
                if index < 0:
                    row_ends[cell(t, n_rows, row)] += 1
                    y = END - index >> 1
                    if network is not None:  # noqa: SIM102
                        if not ended(wires, network, row, y, g, sent, s, p, f, k):
                            continue  # packets that it ends are still on their way
                    free, woken = wake(state, free, now, begin, born, calls, parts, k, y, g, FED)
                    pending += woken
                    continue
                by_row[cell(t * n_rows + row, 4, PACKETS)] += 1
                done_at = looked_up + f.axon_cycles
                for spike in range(q, q_end):
                    neuron = index
                    if b is not None:
                        neuron = int64(b_spikes[spike])
                        if calls[cell(k, 16, ALONE)] and spike > q:
                            looked = at[cell(core, 16, AXON_FREE)] + f.axon_cycles
                            at[cell(core, 16, AXON_FREE)] = looked
                            at[cell(core, 16, AXON_BUSY)] += f.axon_cycles
                            if logging and watch_row[row]:
                                start = looked - f.axon_cycles
                                noted = note(log, noted, AXON, start, looked, core, row, index, g, born)
                        begin = max(at[cell(core, 16, AXON_FREE)], at[cell(core, 16, SYNAPSE_FREE)])
                    cost, runs_each = runs_of(calls, runs, taps, k, neuron)
                    cycles = runs_each * costs[cell(cost, 4, CYCLES)]
                    done_at = begin + cycles
                    at[cell(core, 16, SYNAPSE_FREE)] = done_at
                    if not overlap:
                        at[cell(core, 16, AXON_FREE)] = done_at
                    at[cell(core, 16, SYNAPSE_BUSY)] += cycles
                    if logging and watch_row[row]:
                        synapses = runs_each * costs[cell(cost, 4, SYNAPSES)]
                        noted = note(log, noted, SYNAPSE, begin, done_at, core, row, neuron, g, synapses)
                    by_row[cell(t * n_rows + row, 4, SYNAPSES)] += runs_each * costs[cell(cost, 4, SYNAPSES)]
                    by_row[cell(t * n_rows + row, 4, WORDS)] += runs_each * costs[cell(cost, 4, WORDS)]
                    by_row[cell(t * n_rows + row, 4, STATE)] += runs_each * costs[cell(cost, 4, STATE)]
                stretch(layer_start, layer_end, cell(g, layers, calls[cell(k, 16, POPULATION)]), looked_up, done_at)
                if network is not None:
                    free, woken = worked_off(wires, network, state, row, named, g, free, now, done_at, p, k)
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
    add_waits(out, latency_sum, latency_max, waited, passed)
    return done
