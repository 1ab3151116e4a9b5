"""How good are placements, and how long do they take?

Digits CNN and digits ViT on `sfn1`, VGG-16, ResNet-50 and ViT-B/16 (shapes alone; every neuron sends one packet an inference) on
the smallest square mesh that holds them, with cores of 128 KiB of weights. Each row: flits over links an inference,
beside the bound that no placement can beat (`sfnhw.mapping.bounds`), and the load of the fullest link. `seconds` is the
placer's wall time, `cpu_seconds` its processor time, with all Numba code compiled before; peak memory is that of the process
so far. ViT-B/16 is without its last layer norm: the weights before it are folded into its slice, which one core does
not hold.

    python benchmarks/mapping.py [--json] [--networks NAME,...] [--moves N]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sfnhw.chip import Chip, load_chip
from sfnhw.convert.trace import trace
from sfnhw.digits import digits_cnn, digits_vit
from sfnhw.mapping import PLACERS, map_network
from sfnhw.mapping.bounds import least_traffic
from sfnhw.mapping.placement import Mesh, Problem
from sfnhw.mapping.placement.search import Search
from sfnhw.memory import peak_rss_bytes
from sfnhw.network import Network, Population
from sfnhw.neurons import SFN, Graded, Readout
from tests import architectures

METHODS = ("random", "sequential", "space-filling", "annealed")
LARGE = {
    "core.neurons": 65_536,
    "core.axons": 65_536,
    "core.weight_memory.kib": 128,
    "core.state_memory.kib": 4096,
    "core.threshold_unit.registers": 64,
    "noc.columns": 64,
    "noc.rows": 64,
}


def vit_base() -> torch.nn.Module:
    """Return ViT-B/16 without its last layer norm."""
    from transformers import ViTConfig, ViTForImageClassification

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = ViTForImageClassification(ViTConfig())
            self.model.vit.layernorm = torch.nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x).logits

    return Logits()


# Name → (module, input shape, whether on the large chip).
NETWORKS: dict[str, tuple[Callable[[], torch.nn.Module], tuple[int, ...], bool]] = {
    "digits CNN": (digits_cnn, (1, 8, 8), False),
    "digits ViT": (digits_vit, (1, 8, 8), False),
    "ResNet-50": (
        lambda: architectures.ResNet(architectures.bottleneck, (3, 4, 6, 3), 4, 64, 1000),
        (3, 224, 224),
        True,
    ),
    "VGG-16": (lambda: architectures.VGG((2, 2, 3, 3, 3), 64, 4096, 1000, 7), (3, 224, 224), True),
    "ViT-B/16": (vit_base, (3, 224, 224), True),
}


def shaped(module: torch.nn.Module, shape: tuple[int, ...], name: str) -> Network:
    """Return the spiking network of a module's shapes: every weight is 1 and takes no memory, hidden neurons are SFN."""
    plan = trace(module, shape, signed=True, empty=True).plan
    populations = []
    for p in plan.populations.values():
        coding = {"input": Graded(8, True), "output": Readout()}.get(p.role, SFN.uniform(8, signed=p.signed))
        populations.append(Population(p.name, p.shape, coding, role=p.role, function=p.function, epsilon=p.epsilon))
    return Network(tuple(populations), tuple(plan.projections), name)


def problem_of(network: Network, chip: Chip) -> Problem:
    """Return what a placer is given for a network on a chip."""
    caught = []

    def note(problem: Problem) -> Any:
        caught.append(problem)
        return PLACERS["sequential"](problem)

    PLACERS["note"] = note
    try:
        map_network(network, chip, placer="note")
    finally:
        del PLACERS["note"]
    return caught[0]


def worst_link(problem: Problem, cores: Any) -> int:
    """Load of the fullest link under the trees of `sfnhw.mapping.routes`."""
    import numpy as np

    from sfnhw.mapping.routes import route

    nets, mesh = problem.nets, problem.mesh
    at = np.append(cores, mesh.cores)
    ends = [
        [*at[nets.leaves[a:b]].tolist(), *([mesh.cores] if pins else [])]
        for a, b, pins in zip(nets.first[:-1], nets.first[1:], nets.to_pins, strict=True)
    ]
    trees = route(at[nets.root], ends, mesh.columns, mesh.rows, mesh.io_router, True, mesh.each)
    on_link = trees.link >= 0
    loads = np.bincount(trees.link[on_link], nets.weight[trees.owner[on_link]])
    return int(loads.max(initial=0))


def rows_of(name: str, moves: int | None) -> Iterator[dict[str, Any]]:
    """Yield a row for each method."""
    build, shape, large = NETWORKS[name]
    with torch.device("meta"):
        module = build().eval()
    chip = load_chip("sfn1").replace(LARGE) if large else load_chip("sfn1")
    begin = time.perf_counter()
    problem = problem_of(shaped(module, shape, name), chip)
    prepared = time.perf_counter() - begin
    if large:
        side = isqrt(problem.nodes - 1) + 1
        problem = replace(problem, mesh=Mesh(side, side, 1, 0))
    bound = least_traffic(problem.nets, problem.mesh)
    search = Search(problem.nets, problem.mesh)
    for method in METHODS:
        start = time.perf_counter(), time.process_time()
        cores = PLACERS[method](replace(problem, moves=moves))
        seconds, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        traffic = search.put(cores)
        yield {
            "network": name,
            "mesh": f"{problem.mesh.columns}x{problem.mesh.rows}",
            "cores_used": problem.nodes,
            "method": method,
            "traffic_links": traffic,
            "bound": bound,
            "ratio": traffic / bound,
            "worst_link_load": worst_link(problem, cores),
            "seconds": seconds,
            "cpu_seconds": cpu,
            "slice_seconds": prepared,
            "peak_rss_bytes": peak_rss_bytes(),
        }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="some of the networks, separated by commas")
    parser.add_argument("--moves", type=int, help="moves of `annealed`, instead of its own rule")
    options = parser.parse_args()
    names = options.networks.split(",")
    if unknown := [name for name in names if name not in NETWORKS]:
        parser.error(f"no network {unknown[0]!r}; there are {', '.join(NETWORKS)}")
    next(row for row in rows_of("digits CNN", 100) if row["method"] == "annealed")  # compiles
    rows = []
    for name in names:
        for row in rows_of(name, options.moves):
            rows.append(row)
            if not options.json:
                print(
                    f"{row['network']:12} {row['mesh']:6} {row['cores_used']:5} cores  {row['method']:14} "
                    f"{row['traffic_links']:15,}  {row['ratio']:6.3f} x bound  worst link {row['worst_link_load']:12,}  "
                    f"{row['seconds']:6.2f} s  {row['cpu_seconds']:6.2f} s cpu  {row['peak_rss_bytes'] / 2**30:.2f} GiB",
                    flush=True,
                )
    if options.json:
        print(json.dumps({"rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
