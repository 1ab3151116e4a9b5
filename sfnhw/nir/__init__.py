"""NIR in and out: the Neuromorphic Intermediate Representation (Pedersen et al., Nature Communications 2024).

The `nir` package is imported when one of these is called, not before.
"""

from sfnhw.nir.exporter import to_nir
from sfnhw.nir.importer import from_nir

__all__ = ["from_nir", "to_nir"]
