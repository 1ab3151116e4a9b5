"""From a trained torch module to a network. torch is imported when `convert` is called, not before."""

from sfnhw.convert.conversion import convert
from sfnhw.convert.registry import register, registered

__all__ = ["convert", "register", "registered"]
