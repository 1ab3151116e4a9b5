"""Statistics instead of spikes: rates, recorded or given, from which an activity is drawn with a seed."""

from sfnhw.rates.compare import Compared, RatesComparison, compare, compare_runs
from sfnhw.rates.groups import GRANULARITIES, group_index
from sfnhw.rates.population import PopulationRates
from sfnhw.rates.rates import Rates
from sfnhw.rates.run import sampled_recording

__all__ = [
    "GRANULARITIES",
    "Compared",
    "PopulationRates",
    "Rates",
    "RatesComparison",
    "compare",
    "compare_runs",
    "group_index",
    "sampled_recording",
]
