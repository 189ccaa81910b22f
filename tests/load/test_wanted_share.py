"""What the threads of a load use, or wait for, of a core."""

from __future__ import annotations

import threading
from time import perf_counter

import pytest

from chaos.load.wanted_share import THREADS, WantedShare

pytestmark = pytest.mark.skipif(not THREADS.exists(), reason="only Linux says what its threads wait for")


def test_what_any_thread_uses_counts_and_sleep_does_not() -> None:
    """A thread that computes wants a whole core, whether or not it gets one."""
    share, asleep = WantedShare(), WantedShare()
    threading.Event().wait(0.1)
    rested, over, told = asleep(), threading.Event(), threading.Event()

    def compute() -> None:
        end = perf_counter() + 0.2
        while perf_counter() < end:
            sum(range(1000))
        over.set()
        told.wait()  # what a thread that has ended used is nobody's

    share()
    other = threading.Thread(target=compute)
    other.start()
    over.wait()
    wanted = share()
    told.set()
    other.join()
    assert rested < 0.5 < wanted <= 1.0
