"""How good are placements, and how long do they take?

Digits CNN and digits ViT on `sfn1`, VGG-16, ResNet-50 and ViT-B/16 (shapes alone; every neuron sends one packet an inference) on
the smallest square mesh that holds them, or on those of `--meshes`, with cores of 128 KiB of weights. `--giant` adds a vision
transformer of a billion weights (the shapes of `benchmarks.vit_giant`). Each row: flits over links an inference,
beside the bound that no placement can beat (`sfnhw.mapping.bounds`), and the load of the fullest link, beside its bound, under XY
routing and where each tree chooses (`noc.routing: o1turn`). `seconds` is the
placer's wall time, `cpu_seconds` its processor time, with all Numba code compiled before; `slice_seconds` and
`slice_cpu_seconds` are those of all
the rest of `map_network`: slices, connections, nets, routes. Peak memory is that of the process
so far. `annealed-20x` (`--long`) searches 20 times as long as `annealed` does by itself. The vision transformers are without their
last layer norm: the weights before it are folded into its slice, which one core does not hold.

    python benchmarks/mapping.py [--json] [--networks NAME,...] [--meshes SIDE,...] [--seeds N] [--moves N] [--balanced] [--long] [--giant]
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.laps import now
from sfnhw.chip import Chip, load_chip
from sfnhw.convert.trace import trace
from sfnhw.digits import digits_cnn, digits_vit
from sfnhw.mapping import PLACERS, map_network
from sfnhw.mapping.bounds import least_traffic
from sfnhw.mapping.placement import Mesh, Problem
from sfnhw.mapping.placement.annealed import default_moves
from sfnhw.mapping.placement.search import Search
from sfnhw.mapping.routes import Targets, route
from sfnhw.mapping.turns import choose
from sfnhw.mapping.worst_link import least_worst_link
from sfnhw.memory import peak_rss_bytes
from sfnhw.network import Network, Population
from sfnhw.neurons import SFN, Graded, Readout
from tests import architectures

METHODS = ("random", "sequential", "space-filling", "annealed")
SEEDED = ("random", "annealed", "annealed-balanced", "annealed-20x")
LARGE = {
    "core.neurons": 65_536,
    "core.axons": 65_536,
    "core.weight_memory.kib": 128,
    "core.state_memory.kib": 4096,
    "core.threshold_unit.registers": 64,
    "noc.columns": 128,
    "noc.rows": 128,
    "noc.header_bits": 16,
}


def vit(**changes: Any) -> torch.nn.Module:
    """Return a vision transformer without its last layer norm: ViT-B/16 but for changes of its configuration."""
    from transformers import ViTConfig, ViTForImageClassification

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            config = ViTConfig(**changes)
            if changes:
                config.num_labels = 1000
            self.model = ViTForImageClassification(config)
            self.model.vit.layernorm = torch.nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x).logits

    return Logits()


def vit_giant() -> torch.nn.Module:
    """Return EVA's giant; see `benchmarks.vit_giant`."""
    return vit(hidden_size=1408, num_hidden_layers=40, num_attention_heads=16, intermediate_size=6144, patch_size=14)


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
    "ViT-B/16": (vit, (3, 224, 224), True),
}
GIANT = {"ViT-giant": (vit_giant, (3, 224, 224), True)}


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


def worst_links(problem: Problem, cores: Any) -> tuple[int, int]:
    """Load of the fullest link under XY trees, and with the choice between XY and YX."""
    nets, mesh = problem.nets, problem.mesh
    at = np.append(cores, mesh.cores)
    owner = np.repeat(np.arange(len(nets)), np.diff(nets.first))
    pins = np.flatnonzero(nets.to_pins)
    targets = Targets.of(
        np.concatenate([owner, pins]), np.concatenate([at[nets.leaves], np.full(len(pins), mesh.cores)]), len(nets)
    )
    place = (at[nets.root], targets, mesh.columns, mesh.rows, mesh.io_router, True, mesh.each)
    xy, yx = route(*place), route(*place, yx=True)
    turned = choose([xy], [yx], [nets.weight], 4 * mesh.columns * mesh.rows)
    loads = []
    for trees in (xy, route(*place, yx=turned)):
        on_link = trees.link >= 0
        loads.append(int(np.bincount(trees.link[on_link], nets.weight[trees.owner[on_link]], 1).max()))
    return loads[0], loads[1]


def rows_of(name: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each mesh, method and seed."""
    build, shape, large = (NETWORKS | GIANT)[name]
    with torch.device("meta"):
        module = build().eval()
    chip = load_chip("sfn1").replace(LARGE) if large else load_chip("sfn1")
    network = shaped(module, shape, name)
    begin = now()
    problem = problem_of(network, chip)
    end = now()
    smallest = isqrt(problem.nodes - 1) + 1
    sides = options.meshes or [smallest if large else chip.noc.columns]
    for side in (side for side in sides if side >= smallest):
        placed = replace(problem, mesh=Mesh.of_one_chip(side, side))
        for row in rows_on(placed, options):
            yield {
                "network": name,
                **row,
                "slice_seconds": end[0] - begin[0],
                "slice_cpu_seconds": end[1] - begin[1],
                "peak_rss_bytes": peak_rss_bytes(),
            }


def rows_on(problem: Problem, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each method and seed on one mesh."""
    bound = least_traffic(problem.nets, problem.mesh)
    worst_bound = least_worst_link(problem.nets, problem.mesh, bound)
    search = Search(problem.nets, problem.mesh)
    more = ["annealed-balanced"] * options.balanced + ["annealed-20x"] * options.long
    for method in (*METHODS, *more):
        for seed in range(options.seeds if method in SEEDED else 1):
            given = replace(problem, seed=seed, moves=options.moves)
            if method == "annealed-20x":
                given = replace(given, moves=20 * (options.moves or default_moves(given)))
            start = now()
            cores = PLACERS[method.removesuffix("-20x")](given)
            end = now()
            traffic = search.put(cores)
            worst, chosen = worst_links(problem, cores)
            yield {
                "mesh": f"{problem.mesh.columns}x{problem.mesh.rows}",
                "cores_used": problem.nodes,
                "method": method,
                "seed": seed,
                "traffic_links": traffic,
                "bound": bound,
                "ratio": traffic / bound,
                "worst_link_load": worst,
                "worst_link_o1turn": chosen,
                "worst_link_bound": worst_bound,
                "seconds": end[0] - start[0],
                "cpu_seconds": end[1] - start[1],
            }


def sides(text: str) -> list[int]:
    """Read ``8,16``."""
    return [int(part) for part in text.split(",")]


def line(row: dict[str, Any]) -> str:
    """Return a row as it is printed."""
    return (
        f"{row['network']:10} {row['mesh']:7} {row['cores_used']:5} cores  {row['method']:17} seed {row['seed']}  "
        f"{row['traffic_links']:13,}  {row['ratio']:6.3f} x bound  fullest link {row['worst_link_load']:11,} (o1turn "
        f"{row['worst_link_o1turn']:11,}, bound {row['worst_link_bound']:10,})  {row['seconds']:6.2f} s  "
        f"{row['cpu_seconds']:6.2f} s cpu  {row['slice_seconds']:5.1f} s ({row['slice_cpu_seconds']:5.1f} s cpu) before  {row['peak_rss_bytes'] / 2**30:.2f} GiB"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="some of the networks, separated by commas")
    parser.add_argument(
        "--meshes", type=sides, help="sides of square meshes, such as 8,16,32,64; those too small are left out"
    )
    parser.add_argument("--seeds", type=int, default=1, help="seeds of `random` and `annealed`, from 0")
    parser.add_argument("--moves", type=int, help="moves of `annealed`, instead of its own rule")
    parser.add_argument("--long", action="store_true", help="also search 20 times as long")
    parser.add_argument("--balanced", action="store_true", help="also annealed-balanced")
    parser.add_argument("--giant", action="store_true", help="also a network of a billion weights")
    options = parser.parse_args()
    names = [*options.networks.split(","), *(GIANT if options.giant else [])]
    if unknown := [name for name in names if name not in NETWORKS | GIANT]:
        parser.error(f"no network {unknown[0]!r}; there are {', '.join(NETWORKS | GIANT)}")
    few = argparse.Namespace(meshes=None, seeds=1, moves=100, balanced=True, long=False)
    list(rows_of("digits CNN", few))  # compiles
    rows = []
    for name in names:
        for row in rows_of(name, options):
            rows.append(row)
            if not options.json:
                print(line(row), flush=True)
    if options.json:
        print(json.dumps({"rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
