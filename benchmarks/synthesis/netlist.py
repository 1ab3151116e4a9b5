"""A mapped netlist: its gates counted, and its function computed for many vectors at once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Cells of yosys's generic library and of cells.genlib: inputs -> output, on integers whose bits are vectors; m is all ones.
GATES: dict[str, tuple[str, Callable[..., int]]] = {
    "ZERO": ("", lambda m: 0),
    "ONE": ("", lambda m: m),
    "BUF": ("A", lambda m, a: a),
    "INV": ("A", lambda m, a: m ^ a),
    "AND2": ("AB", lambda m, a, b: a & b),
    "OR2": ("AB", lambda m, a, b: a | b),
    "NAND2": ("AB", lambda m, a, b: m ^ (a & b)),
    "NOR2": ("AB", lambda m, a, b: m ^ (a | b)),
    "XOR2": ("AB", lambda m, a, b: a ^ b),
    "XNOR2": ("AB", lambda m, a, b: m ^ a ^ b),
    "ANDNOT": ("AB", lambda m, a, b: a & (m ^ b)),
    "ORNOT": ("AB", lambda m, a, b: a | (m ^ b)),
    "NAND3": ("ABC", lambda m, a, b, c: m ^ (a & b & c)),
    "NOR3": ("ABC", lambda m, a, b, c: m ^ (a | b | c)),
    "AOI21": ("ABC", lambda m, a, b, c: m ^ ((a & b) | c)),
    "OAI21": ("ABC", lambda m, a, b, c: m ^ ((a | b) & c)),
    "AOI22": ("ABCD", lambda m, a, b, c, d: m ^ ((a & b) | (c & d))),
    "OAI22": ("ABCD", lambda m, a, b, c, d: m ^ ((a | b) & (c | d))),
    "MUX2": ("ABC", lambda m, a, b, c: (b & c) | (a & (m ^ c))),
}
GENERIC = {
    "$_NOT_": "INV",
    "$_BUF_": "BUF",
    **{f"$_{name}_": f"{name}2" for name in ("AND", "OR", "NAND", "NOR", "XOR", "XNOR")},
    "$_ANDNOT_": "ANDNOT",
    "$_ORNOT_": "ORNOT",
}
FLIP_FLOPS = {"$_DFF_P_": False, "$_DFFE_PP_": True}  # with an enable?
# Gate equivalents of a flip-flop and of one with enable: 4.522 and 6.38 over 0.798 µm² in the library of cells.genlib.
FLIP_FLOP_GATES = {"$_DFF_P_": 5.67, "$_DFFE_PP_": 8.0}


@dataclass(frozen=True)
class Netlist:
    """One module of yosys's JSON, of the cells above."""

    cells: list[tuple[str, dict[str, Any]]]  # (type, port -> net)
    ports: dict[str, list[Any]]
    started: dict[int, int]  # net of a flip-flop with a given start value -> that value

    @classmethod
    def read(cls, module: dict[str, Any]) -> "Netlist":
        """Take a module of `write_json`, its gates sorted so that inputs come before outputs."""
        cells = [
            (GENERIC.get(cell["type"], cell["type"]), {port: bits[0] for port, bits in cell["connections"].items()})
            for cell in module["cells"].values()
        ]
        started: dict[int, int] = {}
        for net in module["netnames"].values():
            init = net.get("attributes", {}).get("init", "")
            started.update(
                {bit: int(value) for bit, value in zip(net["bits"], reversed(init), strict=False) if value in "01"}
            )
        return cls(_sorted(cells), {name: port["bits"] for name, port in module["ports"].items()}, started)

    def counts(self) -> Counter[str]:
        """Cells by type."""
        return Counter(kind for kind, _ in self.cells)

    def gate_count(self) -> int:
        """Number of cells: gates and flip-flops."""
        return len(self.cells)

    def gate_equivalents(self, areas: dict[str, float]) -> float:
        """Area of all cells, in that of a NAND2."""
        return sum(number * {**areas, **FLIP_FLOP_GATES}[kind] for kind, number in self.counts().items())

    def run(
        self, inputs: dict[str, list[NDArray[np.int64]]], width: int, cycles: int, rng: np.random.Generator
    ) -> dict[str, NDArray[np.int64]]:
        """Clock the circuit `cycles` times, `start` high in the first of them, and return its outputs (vectors,).

        inputs : port -> words of `width` bits (lowest first), each (vectors,). Flip-flops without a start value begin
            at random, so an answer that hangs on them shows.
        """
        vectors = len(next(iter(inputs.values()))[0])
        ones = (1 << vectors) - 1
        given: dict[Any, int] = {"0": 0, "1": ones, "x": 0}
        for name, words in inputs.items():
            each = width if len(words) > 1 else len(self.ports.get(name, []))
            for place, net in enumerate(self.ports.get(name, [])):
                given[net] = _packed(words[place // each] >> (place % each))
        flops = [(kind, ports) for kind, ports in self.cells if kind in FLIP_FLOPS]
        held = {
            ports["Q"]: ones * self.started[ports["Q"]]
            if ports["Q"] in self.started
            else _packed(rng.integers(0, 2, vectors))
            for _, ports in flops
        }
        for cycle in range(cycles + 1):
            nets = {**given, **held}
            for net in self.ports.get("start", []):
                nets[net] = ones if cycle == 0 else 0
            self._settle(nets, ones)
            if cycle < cycles:
                held = {ports["Q"]: _clocked(kind, ports, nets, ones) for kind, ports in flops}
        return {name: _unpacked([nets.get(bit, 0) for bit in bits], vectors) for name, bits in self.ports.items()}

    def _settle(self, nets: dict[Any, int], ones: int) -> None:
        for kind, ports in self.cells:
            if kind not in FLIP_FLOPS:
                names, gate = GATES[kind]
                nets[ports["Y"]] = gate(ones, *(nets[ports[name]] for name in names))


def _clocked(kind: str, ports: dict[str, Any], nets: dict[Any, int], ones: int) -> int:
    new: int = nets[ports["D"]]
    if not FLIP_FLOPS[kind]:
        return new
    enable = nets[ports["E"]]
    return (new & enable) | (nets[ports["Q"]] & (ones ^ enable))


def _sorted(cells: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Order gates by their inputs; flip-flops come last."""
    made_by = {ports["Y"]: i for i, (kind, ports) in enumerate(cells) if kind not in FLIP_FLOPS}
    done: list[tuple[str, dict[str, Any]]] = []
    seen: set[int] = set()
    for first in made_by.values():
        waiting = [first]
        while waiting:
            i = waiting[-1]
            needs = [made_by[n] for port, n in cells[i][1].items() if port != "Y" and n in made_by]
            missing = [k for k in needs if k not in seen]
            if missing and i not in seen:
                waiting += missing
                continue
            waiting.pop()
            if i not in seen:
                seen.add(i)
                done.append(cells[i])
    return done + [cell for cell in cells if cell[0] in FLIP_FLOPS]


def _packed(bits: NDArray[np.int64]) -> int:
    return int.from_bytes(np.packbits((bits & 1).astype(np.uint8), bitorder="little").tobytes(), "little")


def _unpacked(nets: list[int], vectors: int) -> NDArray[np.int64]:
    """(vectors,) unsigned values of a port."""
    out = np.zeros(vectors, np.int64)
    for place, net in enumerate(nets):
        raw = np.frombuffer(net.to_bytes((vectors + 7) // 8, "little"), np.uint8)
        out |= np.unpackbits(raw, bitorder="little")[:vectors].astype(np.int64) << place
    return out
