"""Processes that work for one parent, and never outlive it."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of `count` fresh processes; when the block is left by an exception they are ended at once.

    They end by themselves when their parent is killed, and leave an interrupt to it.
    """
    before = set(active_children())
    # A spawned process inherits the mask, so that an interrupt cannot meet it while it is still importing.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_follow_parent)
        pool.submit(os.getpid)  # starts the processes
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(active_children()) - before:
            process.kill()
        raise
    pool.shutdown()


def _follow_parent() -> None:
    """In a worker: leave interrupts to the parent, and end when it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A terminal that closes, or `kill`, ends the worker even if the parent handles it otherwise.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
