"""How layers are cut for an objective: the fewest slices, latency, throughput or energy."""

from sfnhw.mapping.objectives.choose import FEWEST, OBJECTIVES, Choices, check_objective, choose_splits

__all__ = ["FEWEST", "OBJECTIVES", "Choices", "check_objective", "choose_splits"]
