"""One point of a break-even chart: a mapped network with its activity, simulated and priced."""

from collections.abc import Callable

from sfnhw.activity import Recording
from sfnhw.mapping import Mapping
from sfnhw.reports.ratio import ratio_band
from sfnhw.run import Run
from sfnhw.sim import price, simulate

Tell = Callable[[str], None]


def measure(mapping: Mapping, recording: Recording, fidelity: str) -> Run:
    """Simulate and price."""
    result = simulate(mapping, recording.activity, fidelity=fidelity)
    return Run(mapping.network, mapping.chip, recording, mapping, result, price(result))


def relative(run: Run, to: Run) -> dict[str, float]:
    """Return the energy of a run over another's, ``{value, low, high}``; see `sfnhw.reports.ratio`."""
    return ratio_band(to.cost, to.samples, run.cost, run.samples)
