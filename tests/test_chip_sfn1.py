"""The preset of our own: what its file and docs/chip.md say of it, worked out again."""

from functools import lru_cache

import pytest

from sfnhw.chip import chip_area, load_chip
from sfnhw.convert import convert
from sfnhw.digits import load_digits_split, train_digits_cnn
from sfnhw.mapping import map_network
from sfnhw.record import record
from sfnhw.sim import price, simulate

REFERENCE, SFN1 = load_chip("reference"), load_chip("sfn1")
# What decides accuracy: the same as on `reference`, so that the two chips compute the same.
WIDTHS = ("core.weight_bits", "core.decode_bits", "core.accumulator_bits", "core.threshold_unit.register_bits")


def test_it_computes_what_the_reference_computes():
    for field in (
        *WIDTHS,
        "core.overflow",
        "core.threshold_unit.sharing",
        "technology.node_nm",
        "technology.voltage_v",
    ):
        assert SFN1.field(field) == REFERENCE.field(field)
    assert SFN1.numerics == REFERENCE.numerics


def test_it_is_smaller_and_holds_every_price_of_the_reference():
    assert chip_area(SFN1).total.value_mm2 < chip_area(REFERENCE).total.value_mm2
    for action, row in REFERENCE.energy.items():
        assert SFN1.energy[action] == row  # the same rows, at another configuration


@lru_cache(maxsize=1)
def _demo():
    split = load_digits_split()
    network = convert(train_digits_cnn(), split.train_images, labels=split.train_labels, thresholds=8)
    return network, record(network, split.test_images[16:32], numerics=REFERENCE.numerics)


@pytest.mark.slow
def test_the_digits_cnn_takes_less_energy_and_less_time():
    network, recording = _demo()
    joules, seconds = [], []
    for chip in (REFERENCE, SFN1):
        result = simulate(map_network(network, chip), recording.activity)
        joules.append(price(result).total.value_aj)
        seconds.append(result.latency_s)
    # As the file says: 0.695 beside 1.731 µJ, 24.7 beside 28.1 µs (python -m benchmarks.tune_chip).
    assert joules[1] / joules[0] == pytest.approx(0.695 / 1.731, rel=0.03)
    assert seconds[1] / seconds[0] == pytest.approx(24.7 / 28.1, rel=0.03)


@pytest.mark.parametrize("field", ["core.weight_memory.kib", "core.synapse_lanes", "core.state_memory.word_bits"])
def test_the_choices_that_matter_most_are_better_than_those_of_the_reference(field):
    """Taking one back on a small network of the demo's kind costs energy × latency."""
    from sfnhw.neurons import SFN
    from tests.networks import chain, random_activity

    network = chain([64, 400, 300, 10], SFN.uniform(8))
    activity = random_activity(network, 0, samples=2, rate=0.4)

    def merit(chip) -> float:
        result = simulate(map_network(network, chip), activity, fidelity="analytic")
        return price(result).total.value_aj * result.latency_s

    assert merit(SFN1) < merit(SFN1.replace({field: REFERENCE.field(field)}))
