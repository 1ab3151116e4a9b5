"""Packets of any format, one by one: who shares one, and how many bits it has; nothing shared with sfnhw."""

from collections import defaultdict
from functools import cache


def log2_up(things):
    """Bits that tell so many things apart."""
    bits = 0
    while 2**bits < things:
        bits += 1
    return bits


@cache
def neurons_in(rows, columns, channels, span, part, by_row):
    """Key → neurons of each bundle of a slice, counted one by one."""
    sizes = {}
    for y in range(rows):
        for x in range(columns):
            for channel in range(channels):
                key = key_of(channel, y, x, columns, span, part, by_row)
                sizes[key] = sizes.get(key, 0) + 1
    return sizes


def key_of(c, y, x, columns, span, part, by_row):
    """Which bundle of its slice a neuron is in; of rows that start by themselves each has its own."""
    return (y, x // span, c // part) if by_row else ((y * columns + x) // span, c // part)


def bundle_of(s, p, i, chip):
    """(key of the bundle, neurons in it, neurons of a full one, bundles of the slice) of neuron i of slice s of p."""
    c, y, x = i // p.positions - s.block.c0, i // p.columns % p.rows - s.block.r0, i % p.columns
    channels, by_row = s.block.channels, chip.execution.granularity == "row"
    positions = p.columns if by_row else s.block.rows * p.columns
    most = chip.packet.bundle_neurons
    part = min(most, channels)
    span = max(1, most // channels) if chip.packet.bundle == "run" else 1
    sizes = neurons_in(s.block.rows, p.columns, channels, span, part, by_row)
    key = key_of(c, y, x, p.columns, span, part, by_row)
    return key, sizes[key], part * min(span, positions), len(sizes)


def packet_of(form, s, p, chip, i, spikes, largest):
    """(bits, whether it is sent) of the packet of neuron i's bundle with so many spikes."""
    coding, noc = p.coding, chip.noc
    payload = coding.payload_bits(chip.numerics)
    if form == "aer":
        return noc.header_bits + log2_up(s.neurons) + payload, spikes > 0
    _, size, full, bundles = bundle_of(s, p, i, chip)
    head = noc.header_bits + log2_up(bundles)
    if form == "bundled":
        most = full * (largest if coding.kind == "polarity" else 1)
        return head + log2_up(most) + spikes * (log2_up(full) + payload), spikes > 0
    if form == "bitmap":
        return head + size + spikes * payload, spikes > 0
    if coding.kind in ("readout", "partial"):
        value = chip.core.accumulator_bits
    elif coding.kind in ("if", "lif", "ttfs"):
        value = 1 + coding.signed
    else:
        value = log2_up(largest + 1) + coding.signed
    return head + size * value, spikes > 0 or coding.kind != "readout"


def packets_in(mapping, activity, p, formats, slice_of):
    """Every packet of a population as (slice, bits, its spikes as neurons), one by one."""
    network, chip = mapping.network, mapping.chip
    form, levels = formats[p.name], activity.levels[p.name]
    slice_at = [mapping.slices[slice_of[p.name][i]] for i in range(p.size)]
    bundle_at = [None if form == "aer" else bundle_of(slice_at[i], p, i, chip)[0] for i in range(p.size)]
    in_windows = any(q.coding.kind == "ttfs" for q in network.populations)
    for sample in range(levels.shape[0]):
        for t in range(levels.shape[1]):
            held = defaultdict(list)
            for i in range(p.size):
                level = abs(int(levels[sample, t, i]))
                times = level if p.coding.kind == "polarity" else int(level > 0)
                if p.role == "output":  # once: with the last step, or when its window begins (ttfs)
                    times = int(t == (0 if in_windows else levels.shape[1] - 1))
                s = slice_at[i]
                if form == "aer":
                    bits, _ = packet_of(form, s, p, chip, i, 1, p.coding.max_level)
                    yield from ((s.index, bits, [i]) for _ in range(times))
                else:
                    held[s.index, bundle_at[i]] += [i] * times
                    held[s.index, bundle_at[i], "one"] = i
            for key in [key for key in held if len(key) == 2]:
                s, spikes = mapping.slices[key[0]], held[key]
                bits, goes = packet_of(form, s, p, chip, held[*key, "one"], len(spikes), p.coding.max_level)
                # Inputs and readouts of a network in windows work in the first step of their window alone.
                works = not in_windows or p.coding.kind == "ttfs" or t == 0
                if goes and (spikes or works):
                    yield s.index, bits, spikes
