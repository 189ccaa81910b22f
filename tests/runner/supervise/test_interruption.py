"""Signals while a run goes on: counted, and acted upon by whoever waits."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from chaos.runner.supervise.interruption import Interrupted, Interruption
from chaos.signals import ENDING


async def forever() -> None:
    await asyncio.Event().wait()


async def arrived(interruption: Interruption, number: int) -> None:
    """Send one to this process, and wait until it has been noticed."""
    noticed = asyncio.Event()
    interruption.listen(noticed.set)
    os.kill(os.getpid(), number)
    await noticed.wait()


@pytest.mark.parametrize("number", ENDING)
async def test_the_work_is_cancelled_when_a_signal_arrives_and_when_one_has(number: int) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        working = asyncio.ensure_future(interruption.unless(forever()))
        await arrived(interruption, number)
        with pytest.raises(Interrupted):
            await working
        with pytest.raises(Interrupted):
            await interruption.unless(forever())
        interruption.forget()
        assert await interruption.unless(asyncio.sleep(0, "done")) == "done"
    assert signal.getsignal(number) == before


@pytest.mark.parametrize(
    ("numbers", "insistent"),
    [
        ([signal.SIGINT], False),
        ([signal.SIGINT, signal.SIGINT], True),
        ([signal.SIGTERM], True),
        ([signal.SIGHUP], True),
        ([signal.SIGINT, signal.SIGTERM], True),
    ],
)
async def test_one_ctrl_c_may_be_meant_for_what_has_just_ended(numbers: list[int], insistent: bool) -> None:
    with Interruption() as interruption:
        for number in numbers:
            await arrived(interruption, number)
        assert interruption.insistent is insistent
        if insistent:
            with pytest.raises(Interrupted):
                await interruption.unless(forever(), insistent=True)
        else:
            assert await interruption.unless(asyncio.sleep(0, "made"), insistent=True) == "made"


async def test_a_failure_of_the_work_is_its_own() -> None:
    async def fail() -> None:
        raise ValueError("its own")

    with Interruption() as interruption, pytest.raises(ValueError, match="its own"):
        await interruption.unless(fail())


def test_a_third_signal_ends_the_process_at_once() -> None:
    code = (
        "import asyncio, os, signal, time; from chaos.runner.supervise.interruption import Interruption\n"
        "async def main():\n"
        "    with Interruption():\n"
        "        for _ in range(3): os.kill(os.getpid(), signal.SIGINT); time.sleep(0.01)\n"
        "        print('still there')\n"
        "asyncio.run(main())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_in_a_program_of_others_the_third_signal_is_theirs() -> None:
    program = (
        "import asyncio, os, signal; from chaos.runner.supervise.interruption import Interruption\n"
        "async def main():\n"
        "    with Interruption(exits=False):\n"
        "        for _ in range(3): os.kill(os.getpid(), signal.SIGINT)\n"
        "        await asyncio.Event().wait()\n"
        "try: asyncio.run(main())\n"
        "except KeyboardInterrupt: print('theirs')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "theirs\n")


async def test_without_signals_the_handlers_of_others_stay() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with Interruption(signals=False):
        assert [signal.getsignal(number) for number in ENDING] == before
