"""From a trained torch module to a network. torch is imported when `convert` is called, not before."""

from sfnhw.convert.conversion import convert
from sfnhw.convert.registry import register, registered
from sfnhw.convert.size import NetworkSize, size_of

__all__ = ["NetworkSize", "convert", "register", "registered", "size_of"]
