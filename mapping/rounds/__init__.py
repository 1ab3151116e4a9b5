"""Rounds: a network larger than the chip, worked off one part after the other."""

from sfnhw.mapping.rounds.loads import Load, load_of
from sfnhw.mapping.rounds.map_rounds import LayOut, map_rounds, rounds_from
from sfnhw.mapping.rounds.plan import fits, plan_rounds
from sfnhw.mapping.rounds.round import Round

__all__ = ["LayOut", "Load", "Round", "fits", "load_of", "map_rounds", "plan_rounds", "rounds_from"]
