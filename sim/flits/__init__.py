"""The network of an estimate at fidelity `flit`: the routers of `sfnhw.sim.noc`, with multicast, driven by the cores.

`wires` lays a chip out, `state` is what changes, `router` and `cycle` are the kernels; `sfnhw.sim.packet_kernel` calls
`cycle.step` for each cycle in which the network has something to do.
"""
