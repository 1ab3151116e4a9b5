"""What the packet kernel writes down of a run when it is asked to: one record for each time that a unit is taken.

Constants only: the function that writes them is in `sfnhw.sim.kernel_parts`, with Numba.
"""

# Kinds of records: the threshold unit, a port into the network, a link, a port out of it, axon look-up, synapse lanes; and
# the barrier at the end of a global step, which the kernel does not write (`sfnhw.sim.event_log`).
THRESHOLD, INJECT, LINK, EJECT, AXON, SYNAPSE = range(6)
EVENTS = ("threshold", "inject", "link", "eject", "axon", "synapse", "barrier")
BARRIER = 6
# Columns of a record: kind; first cycle and the one after the last; terminal or link (4·routers more for each class of virtual
# channels, with o1turn); slice (the packet's own, or the one
# at work), or connection at axon look-ups and lanes; neuron of the packet's slice or control mark; frame; the cycle in which
# a packet was ready, or synaptic operations, or neurons updated.
KIND, BEGIN, END, WHERE, WHO, INDEX, FRAME, MORE = range(8)
WIDTH = 8
