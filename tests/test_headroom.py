"""How many of the largest spikes an accumulator holds, by hand and against what then overflows in recording."""

import warnings

import numpy as np
import pytest

from sfnhw.headroom import HeadroomWarning, headroom, headroom_text
from sfnhw.network import Dense, Network, Population
from sfnhw.neurons import MTN, Coding, Graded, Readout
from sfnhw.numerics import Numerics
from sfnhw.recode import recode
from sfnhw.record import record
from tests.networks import random_attention, random_network


def fan_in(spikes: int, coding: Coding) -> Network:
    """`spikes` neurons, each driven by an input of its own, into a readout at the largest weight; one at half of it."""
    n = spikes + 1
    return Network(
        (
            Population("x", (n,), Graded(8), 1.0, role="input"),
            Population("h", (n,), coding, 1.0),
            Population("y", (1,), Readout(), role="output"),
        ),
        (Dense("x", "h", 1e6 * np.eye(n)), Dense("h", "y", np.array([[1.0] * spikes + [0.5]]))),
    )


# 2^23 − 1 over 2^(N−1) · 127, and over (2^16 − 1) · 127; N = 14 has room for 8, which is no longer few.
@pytest.mark.parametrize(
    ("coding", "room"),
    [
        (MTN(16, spacing="power-of-two"), 2),
        (MTN(15, spacing="power-of-two"), 4),
        (MTN(14, spacing="power-of-two"), None),
        (Graded(16), 1),
        (Graded(14), 4),
        (Graded(8), None),
    ],
)
def test_room_is_what_overflows_with_one_spike_more(coding, room):
    network = fan_in(12, coding)
    found = headroom(network)
    assert found == ({} if room is None else {"y": room})
    for spikes in range(1, (room or 7) + 2):
        x = np.zeros((1, 13))
        x[0, :spikes] = 255
        overflows = record(network, x, numerics=Numerics()).overflows["y"]
        assert overflows == (room is not None and spikes > room)
    assert (headroom_text(network) or "").startswith(f"{room + 1} of the largest" if room else "")


def test_what_is_too_little_to_overflow_is_left_out_and_a_wider_accumulator_helps():
    """Two neurons at the largest weight and one at half of it: 2.5 · 2^15 · 127 is beyond 24 bits, 1.5 is not."""
    coding = MTN(16, spacing="power-of-two")
    assert headroom(fan_in(2, coding)) == {"y": 2}
    assert headroom(fan_in(1, coding)) == {}
    assert headroom(fan_in(12, coding), Numerics(accumulator_bits=32)) == {}


def test_recode_warns_of_powers_of_two_where_their_products_fill_the_accumulator():
    attention = random_attention(0)
    with pytest.warns(HeadroomWarning, match=r"1 of the largest spikes .* 24-bit accumulator"):
        wide = recode(attention, "mtn", thresholds=16, spacing="power-of-two")
    assert headroom(wide)["scores"] == 0  # 2^15 · 2^15 is beyond 2^23
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recode(attention, "mtn", thresholds=8, spacing="power-of-two")
        recode(random_network(0), "mtn", thresholds=8, spacing="power-of-two")
        recode(random_network(0), "graded", bits=8, scaling="step")
