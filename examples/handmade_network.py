"""A recurrent network made by hand, without torch: explicit synapses with a delay, on a chip with a global barrier.

Run: python examples/handmade_network.py
"""

import numpy as np

import sfnhw
from sfnhw.network import Dense, Sparse
from sfnhw.neurons import IF, Events, Readout

STEPS = 20


def ring(neurons: int) -> sfnhw.Network:
    """Return a ring: each neuron excites the next one a timestep later, so that one kick travels round it."""
    successor = (np.arange(neurons) + 1) % neurons
    return sfnhw.Network(
        (
            sfnhw.Population("kick", (1,), Events(STEPS), role="input"),
            sfnhw.Population("ring", (neurons,), IF(STEPS), function="relu"),
            sfnhw.Population("count", (1,), Readout(STEPS), role="output"),
        ),
        (
            Sparse("kick", "ring", np.ones(1), np.array([0, 1]), np.array([0])),
            Sparse("ring", "ring", np.ones(neurons), np.arange(neurons + 1), successor, delay=1),
            Dense("ring", "count", np.ones((1, neurons))),
        ),
        "ring",
    )


def main() -> None:
    """Kick neuron 0 in the first timestep and follow the spike."""
    network = ring(100)
    kick = np.zeros((1, STEPS, 1))
    kick[0, 0] = 1
    chip = sfnhw.load_chip("reference").replace({"execution.mode": "barrier"})
    run = sfnhw.estimate(network, chip, kick, baselines=())
    spikes = np.argwhere(run.recording.activity.levels["ring"][0])
    print("timestep, neuron:", ", ".join(f"{t}, {i}" for t, i in spikes[:4]), "...")
    print(run.summary())


if __name__ == "__main__":
    main()
