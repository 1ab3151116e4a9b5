"""Every coding on the same trained network, the same chip and the same images: the table of docs/codings.md.

python -m benchmarks.codings [--quick]
"""

import argparse
from typing import Any

import sfnhw
from sfnhw.digits import load_digits_split, train_digits_cnn

SIZE = 8  # N thresholds, T steps
ROWS: dict[str, dict[str, Any]] = {
    "sfn, uniform": {"coding": "sfn"},
    "sfn, power of two": {"coding": "sfn", "spacing": "power-of-two", "rounding": "nearest", "decode": "threshold"},
    "mtn, uniform": {"coding": "mtn"},
    "mtn, power of two": {"coding": "mtn", "spacing": "power-of-two"},
    "mtn, power of two, mse": {"coding": "mtn", "spacing": "power-of-two", "theta": "mse"},
    "if, T = 8": {"coding": "if", "timesteps": SIZE},
    "if, T = 2": {"coding": "if", "timesteps": 2},
    "if, T = 2, mse": {"coding": "if", "timesteps": 2, "theta": "mse"},
    "if, T = 2, v(0) = 0": {"coding": "if", "timesteps": 2, "initial_potential": 0.0},
    "if, T = 2, v(0) = 0, α fitted": {
        "coding": "if",
        "timesteps": 2,
        "initial_potential": 0.0,
        "threshold_scale": "mse",
    },
    "polarity": {"coding": "polarity"},
    "ttfs, T = 8": {"coding": "ttfs", "timesteps": SIZE},
    "graded, 4 bits": {"coding": "graded", "bits": 4},
    "graded, 4 bits, mse": {"coding": "graded", "bits": 4, "theta": "mse"},
    "graded, 8 bits": {"coding": "graded", "bits": 8},
    "graded, 8 bits, mse": {"coding": "graded", "bits": 8, "theta": "mse"},
}


def main() -> None:
    """Train, convert, record, simulate, price; print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 epochs of training, 20 images simulated")
    quick = parser.parse_args().quick
    digits = load_digits_split()
    module = train_digits_cnn(epochs=3) if quick else train_digits_cnn()
    chip = sfnhw.load_chip("reference")
    print("| coding | accuracy | spikes | synaptic operations | energy | latency |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, options in ROWS.items():
        size: dict[str, Any] = {"thresholds": SIZE} if options["coding"] in ("sfn", "mtn", "polarity") else {}
        network = sfnhw.convert(module, digits.train_images, labels=digits.train_labels, **size, **options)
        recording = sfnhw.record(network, digits.test_images, labels=digits.test_labels, numerics=chip.numerics)
        some = recording.activity.select(slice(0, 20 if quick else 100))
        result = sfnhw.simulate(sfnhw.map_network(network, chip), some)
        hidden = [p.name for p in network.populations if p.role == "hidden"]
        spikes = sum(result.by_population(result.counts.sent_spikes)[h] for h in hidden) / some.samples
        operations = int(result.counts.row_synapses.sum()) / some.samples
        energy = sfnhw.price(result).total.as_joules(some.samples)["value"]
        assert recording.accuracy is not None
        print(
            f"| {name} | {100 * recording.accuracy:.1f} % | {spikes:,.0f} | {operations / 1e3:,.0f} k "
            f"| {energy * 1e6:.2f} µJ | {result.latency_s * 1e6:.1f} µs |"
        )


if __name__ == "__main__":
    main()
