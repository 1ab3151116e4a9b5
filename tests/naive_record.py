"""What the chip computes, in plain Python integers: one neuron, one synapse, one comparison at a time."""

from collections import defaultdict

from tests.naive import synapses_of


def bring_back(value, bits, overflow):
    """A two's complement accumulator of `bits` bits: the whole sum of a timestep is held, then saturates or wraps."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if low <= value <= high:
        return value, 0
    if overflow == "saturate":
        return (high if value > high else low), 1
    while value > high:
        value -= 2**bits
    while value < low:
        value += 2**bits
    return value, 1


def fire(population, side, channel, membrane):
    """Return (level, membrane that is left)."""
    coding, table = population.coding, side.table
    group = channel if len(table.initial) > 1 else 0
    thresholds = [int(x) for x in table.thresholds[group]]
    if coding.kind in ("readout", "partial"):
        return membrane, membrane
    if coding.kind == "graded":
        m = int(table.multiplier[channel if len(table.multiplier) > 1 else 0])
        level = (membrane * m + 2 ** (table.shift - 1)) >> table.shift
        low, top = (
            (-(2 ** (coding.bits - 1)) + 1, 2 ** (coding.bits - 1) - 1) if coding.signed else (0, 2**coding.bits - 1)
        )
        return max(low, min(top, level)), membrane
    level = 0
    for threshold in thresholds:
        if membrane >= threshold:
            level += 1
        elif coding.signed and -membrane >= threshold:
            level -= 1
    if coding.kind == "if":
        return level, membrane - level * thresholds[0]
    return level, membrane


def integers(lowered, inputs):
    """Levels and overflows of one sample: (population → [t][neuron], population → how many).

    inputs : [t][neuron] levels of the one input population.
    """
    network, numerics = lowered.network, lowered.numerics
    into = defaultdict(list)
    for k, i, o, where in synapses_of(network):
        into[network.projections[k].target, o].append((k, i, where))
    levels = {network.inputs[0].name: inputs}
    overflows = {p.name: 0 for p in network.populations if p.role != "input"}
    membranes = {}

    def weight(k, o_channel, where):
        w = lowered.projections[k].weight
        if network.projections[k].kind in ("dense", "conv2d", "sparse", "transposed_conv2d"):
            return int(w[where])
        return int(w[o_channel if len(w) > 1 else 0])  # pools and elementwise: one for all, or one a channel

    for t in range(network.timesteps):
        for r in network.order:
            if r.role == "input":
                continue
            side, now = lowered.populations[r.name], []
            for o in range(r.size):
                channel = o // r.positions
                if r.function == "max":
                    # what the largest running sum of the window gained
                    sums = [[sum(levels[network.projections[k].source][s][i] for s in range(upto)) for k, i, _ in into[r.name, o]] for upto in (t, t + 1)]  # fmt: skip
                    now.append(max(sums[1]) - max(sums[0]))
                    continue
                bias = side.bias[channel]
                total = int(bias[o % r.positions if len(bias) > 1 else 0])
                for k, i, where in into[r.name, o]:
                    p = network.projections[k]
                    late = getattr(p, "delay", 0)
                    if t < late:
                        continue
                    level = levels[p.source][t - late][i]
                    sums = network[p.source].coding.kind == "partial"  # as wide as the accumulator, and worth itself
                    word = abs(level) if sums else int(lowered.populations[p.source].words[abs(level)])
                    value = -word if level < 0 else word
                    total += (weight(k, channel, where) * value) * 2 ** lowered.projections[k].shift
                keeps = r.coding.kind == "if" or (r.coding.kind == "readout" and network.timesteps > 1)
                if keeps:
                    start = int(side.table.initial[channel if len(side.table.initial) > 1 else 0])
                    total += membranes.get((r.name, o), start)
                total, over = bring_back(total, numerics.accumulator_bits, numerics.overflow)
                overflows[r.name] += over
                level, membranes[r.name, o] = fire(r, side, channel, total)
                now.append(level)
            levels.setdefault(r.name, []).append(now)
    return levels, overflows
