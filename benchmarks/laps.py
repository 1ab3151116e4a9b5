"""Wall and processor seconds of the steps of a benchmark, and the peak memory of its process."""

import time
from collections.abc import Iterable

from sfnhw.memory import peak_rss_bytes

Moment = tuple[float, float]


def now() -> Moment:
    """Return (wall, processor) seconds."""
    return time.perf_counter(), time.process_time()


def show(laps: Iterable[tuple[str, Moment, Moment]]) -> None:
    """Print (name, begin, end) of each step, and the peak memory."""
    for name, begin, end in laps:
        print(f"{name:8} {end[0] - begin[0]:6.1f} s wall {end[1] - begin[1]:6.1f} s processor")
    print(f"peak memory {peak_rss_bytes() / 2**30:.2f} GiB")
