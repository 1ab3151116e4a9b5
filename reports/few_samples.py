"""How far an accuracy may be off that was measured on few samples."""

from collections.abc import Sequence

# From so many samples on a share of 90 % has a standard error of 3 points or less, and nothing is said.
FEW = 100


def standard_error(accuracy: float, samples: int) -> float:
    """Return the binomial standard error of a share, sqrt(p·(1 − p)/n)."""
    return float((accuracy * (1 - accuracy) / samples) ** 0.5)


def few_samples_text(accuracies: Sequence[float], samples: int) -> str:
    """Say how far shares measured on the same few samples may be off; empty where they are many, or nothing was measured.

    Where all samples agree the standard error says nothing. Then it is the bound of Clopper and Pearson (1934): with
    probability 1 − c a share below c^(1/n) had them all right, here with c = 0.05.
    """
    if not accuracies or samples >= FEW:
        return ""
    of = f"of {samples:,} inference{'s' * (samples != 1)}"
    inner = [p for p in accuracies if 0 < p < 1]
    if inner:
        most = max(100 * standard_error(p, samples) for p in inner)
        return f"{of}: standard error {'up to ' * (len(inner) > 1)}{most:.1f} points"
    bound = 100 * 0.05 ** (1 / samples)
    if min(accuracies) == 1:
        return f"{of}: at least {bound:.1f} %, with 95 % confidence"
    if max(accuracies) == 0:
        return f"{of}: at most {100 - bound:.1f} %, with 95 % confidence"
    return f"{of}: too few to tell accuracies apart"
