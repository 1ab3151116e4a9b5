"""How much memory this process has held."""

import resource
import sys


def peak_rss_bytes() -> int:
    """Return the peak resident set size of this process. Linux tells kilobytes, macOS bytes (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
