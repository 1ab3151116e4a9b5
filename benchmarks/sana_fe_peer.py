"""The peer's side of `benchmarks.sana_fe`, in a process of its own so that its memory is its own.

    python -m benchmarks.sana_fe_peer GIVEN.npz FOUND.npz THREADS MODEL=TIMED+TRACED ...

GIVEN holds ``offsets`` and ``targets`` (CSR of the synapses), ``tile`` and ``core`` of each neuron, its ``bias`` and its first
``potential``. For each timing model the network runs TIMED steps without any trace, on the clock, then TRACED steps whose
spikes, times and energies are kept. FOUND gets arrays named after the models.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfnhw.memory import peak_rss_bytes

ENERGIES = ("synapse", "dendrite", "soma", "network")


def rss_bytes(field: str = "VmRSS") -> int:
    """Bytes that this process holds now (VmRSS) or held at most (VmHWM), on Linux; elsewhere held at most.

    The system's other figure of the most, ru_maxrss, is inherited from the process that starts this one.
    """
    try:
        fields = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return peak_rss_bytes()
    return next(int(line.split()[1]) * 1024 for line in fields if line.startswith(field))


def build(given: Any, found: dict[str, Any]) -> Any:
    """Return the loaded chip; notes what each part took."""
    import sanafe

    memory, clock = [rss_bytes()], [time.process_time()]

    def lap() -> None:
        memory.append(rss_bytes())
        clock.append(time.process_time())

    arch = sanafe.load_loihi()
    chip = sanafe.SpikingChip(arch)
    lap()
    net = sanafe.Network()
    neurons = len(given["bias"])
    group = net.create_neuron_group(
        "net",
        neurons,
        model_attributes={"threshold": 1.0, "reset": 0.0, "leak_decay": 1.0},
        soma_hw_name="loihi_lif",
        default_synapse_hw_name="loihi_sparse_synapse",
        log_spikes=True,
    )
    homes = zip(
        given["bias"].tolist(), given["potential"].tolist(), given["tile"].tolist(), given["core"].tolist(), strict=True
    )
    for i, (bias, potential, tile, core) in enumerate(homes):
        group[i].set_attributes(model_attributes={"bias": bias, "potential": potential})
        group[i].map_to_core(arch.tiles[tile].cores[core])
    sources = np.repeat(np.arange(neurons), np.diff(given["offsets"]))
    pairs = list(zip(sources.tolist(), given["targets"].tolist(), strict=True))
    group.connect_neurons_sparse(group, {"weight": [0.0] * len(pairs)}, pairs)
    del pairs
    chip.load(net)
    lap()
    found["empty_chip_bytes"] = memory[1] - memory[0]
    found["network_bytes"] = memory[2] - memory[1]
    found["build_seconds"] = clock[2] - clock[0]
    return chip


def run(chip: Any, model: str, timed: int, traced: int, threads: int, neurons: int) -> dict[str, NDArray[Any]]:
    """Run one timing model; see the module."""
    begin = time.process_time()
    result = chip.sim(timed, timing_model=model, processing_threads=1)
    seconds = time.process_time() - begin
    start = time.perf_counter()
    together = chip.sim(timed, timing_model=model, processing_threads=threads, scheduler_threads=threads)
    wall = time.perf_counter() - start
    detail = chip.sim(traced, timing_model=model, processing_threads=1, spike_trace=True, perf_trace=True)
    spikes = np.zeros((traced, neurons), np.bool_)
    for step, fired in enumerate(detail["spike_trace"]):
        spikes[step, [int(str(address).rsplit(".", 1)[1]) for address in fired]] = True
    perf = detail["perf_trace"]
    return {
        "speed": np.array([seconds, timed, result["packets_sent"], result["spikes"]]),
        "speed_together": np.array([wall, timed, together["packets_sent"], together["spikes"]]),
        "spikes": spikes,
        "step_seconds": np.array(perf["sim_time"]),
        "joules": np.array([perf[f"{part}_energy"] for part in ENERGIES]).T,
    }


def main() -> int:
    """Run it."""
    given = dict(np.load(sys.argv[1]))
    found: dict[str, Any] = {}
    chip = build(given, found)
    threads = int(sys.argv[3])
    for text in sys.argv[4:]:
        model, steps = text.split("=")
        timed, traced = map(int, steps.split("+"))
        for name, values in run(chip, model, timed, traced, threads, len(given["bias"])).items():
            found[f"{model}_{name}"] = values
    found["peak_rss_bytes"] = rss_bytes("VmHWM")
    np.savez(sys.argv[2], **found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
