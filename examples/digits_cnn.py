"""The whole chain on handwritten digits, stage by stage.

Run: python examples/digits_cnn.py
"""

import sfnhw
from sfnhw.digits import load_digits_split, train_digits_cnn


def main() -> None:
    """Train, convert, record, map, simulate and price."""
    digits = load_digits_split()
    network = sfnhw.convert(train_digits_cnn(), digits.train_images, labels=digits.train_labels, thresholds=8)
    chip = sfnhw.load_chip("reference")
    recording = sfnhw.record(network, digits.test_images, labels=digits.test_labels, numerics=chip.numerics)
    mapping = sfnhw.map_network(network, chip)
    result = sfnhw.simulate(mapping, recording.activity)
    cost = sfnhw.price(result)
    energy = cost.total.as_joules(result.samples)
    print(f"accuracy   {recording.accuracy:.2%}")
    print(f"energy     {1e6 * energy['value']:.3g} uJ ({1e6 * energy['low']:.3g} to {1e6 * energy['high']:.3g})")
    print(f"latency    {1e6 * result.latency_s:.3g} us")
    print(f"throughput {result.throughput_inferences_per_s:,.0f} inferences/s on {mapping.cores_used} cores")


if __name__ == "__main__":
    main()
