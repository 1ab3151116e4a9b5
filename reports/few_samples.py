"""How far an accuracy may be off that was measured on few samples."""

import math
from collections.abc import Sequence

# From so many samples on a share of 90 % has a standard error of 3 points or less, and nothing is said of it.
FEW = 100


def standard_error(accuracy: float, samples: int) -> float:
    """Return the binomial standard error of a share, sqrt(p·(1 − p)/n)."""
    return float((accuracy * (1 - accuracy) / samples) ** 0.5)


def few_samples_text(accuracies: Sequence[float], samples: int) -> str:
    """Say how far shares measured on the same samples may be off; empty where that is little, or nothing was measured.

    Where all samples agree the standard error is 0 and says nothing, however many they are. Then it is the bound of Clopper and
    Pearson (1934): with probability 1 − c a share below c^(1/n) had them all right, here with c = 0.05. It is close to
    1 − 3/n, the rule of three (Hanley & Lippman-Hand, JAMA 249(13), 1983).
    """
    if not accuracies:
        return ""
    of = f"of {samples:,} inference{'s' * (samples != 1)}"
    inner = [p for p in accuracies if 0 < p < 1]
    bound = 100 * 0.05 ** (1 / samples)
    digits = max(1, math.floor(math.log10(samples / 300)) + 1)  # that tell the bound from 100 %
    if min(accuracies) == 1:
        return f"{of}: at least {bound:.{digits}f} %, with 95 % confidence"
    if max(accuracies) == 0:
        return f"{of}: at most {100 - bound:.{digits}f} %, with 95 % confidence"
    if samples >= FEW:
        return ""
    if not inner:
        return f"{of}: too few to tell accuracies apart"
    most = max(100 * standard_error(p, samples) for p in inner)
    return f"{of}: standard error {'up to ' * (len(inner) > 1)}{most:.1f} points"
