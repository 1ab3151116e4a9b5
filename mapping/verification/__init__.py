"""A check that is independent of the mapper: it derives from the network and the chip alone what a mapping must hold."""

from sfnhw.mapping.verification.arrays import array_faults
from sfnhw.mapping.verification.report import Verification, Violation
from sfnhw.mapping.verification.verify import verify

__all__ = ["Verification", "Violation", "array_faults", "verify"]
