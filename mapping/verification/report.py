"""What a verification found."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

# What can be wrong, in the order in which it is looked at.
KINDS = {
    "arrays": "an array is of a wrong shape, or points outside another",
    "neurons": "a neuron is in no slice, or in two",
    "synapses": "synapses are missing, doubled, or where there are none",
    "placement": "a slice is where it cannot be",
    "demand": "what a slice is said to ask of its core is not what it asks",
    "limit": "a core holds more than it can",
    "route": "packets do not reach exactly their targets, once, by the chip's rule of routing",
    "tokens": "ready tokens do not reach exactly the sources, once",
    "tables": "a router has more trees than its multicast table has entries, there are more trees than route keys, or a "
    "flit has no room for the number of a row",
}
SHOWN = 20


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong.

    Attributes
    ----------
    kind : a key of `KINDS`.
    where : the slice, connection, core or node.
    text : what was found, and what was expected.
    """

    kind: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.text}"


@dataclass(frozen=True)
class Verification:
    """What was looked at, counted from scratch, and what is wrong with it.

    Attributes
    ----------
    violations : empty where the mapping is right.
    slices, neurons : neurons of inputs included.
    synapses : (source neuron, target neuron) pairs; parallel ones, and the kernel taps of one weight, each by themselves.
    stored_weights, weight_copies : weights held by all cores, and how many of them are further copies of one weight,
        since slices that cut a layer by position hold the same ones.
    cores : with at least one slice.
    trees, nodes, links, exits : of the routes of packets, as walked from their roots.
    table_entries : of the fullest multicast table, packets and tokens together; 0 under unicast.
    """

    violations: tuple[Violation, ...] = ()
    slices: int = 0
    neurons: int = 0
    synapses: int = 0
    stored_weights: int = 0
    weight_copies: int = 0
    cores: int = 0
    trees: int = 0
    nodes: int = 0
    links: int = 0
    exits: int = 0
    table_entries: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.violations

    def kinds(self) -> set[str]:
        """Return the kinds of violation."""
        return {v.kind for v in self.violations}

    def summary(self) -> str:
        """Return one line where all is well; else what is wrong, the first few by name."""
        if self.ok:
            return (
                f"verified: {self.neurons:,} neurons in {self.slices:,} slices on {self.cores:,} cores, each once; "
                f"{self.synapses:,} synapses, each on one core; {self.stored_weights:,} weights stored, "
                f"{self.weight_copies:,} of them copies by position; every limit holds; {self.trees:,} routes over "
                f"{self.links:,} links reach their {self.exits:,} targets, each once"
            )
        counts = ", ".join(f"{n:,} of {kind}" for kind, n in Counter(v.kind for v in self.violations).items())
        lines = [f"not a valid mapping: {len(self.violations):,} violations ({counts})"]
        lines += [f"  {v}" for v in self.violations[:SHOWN]]
        if len(self.violations) > SHOWN:
            lines.append(f"  and {len(self.violations) - SHOWN:,} more")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return all counts, `ok`, and the violations as objects."""
        return {"ok": self.ok, **asdict(self), "violations": [asdict(v) for v in self.violations]}
