"""Commands run side by side until a deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

_POLL = 0.05


class Ended(NamedTuple):
    """A command that ended, or was ended.

    Attributes
    ----------
    code
        Its exit code; None if its time was over, or never came.
    output
        What it wrote, errors included.
    seconds
        How long it ran.
    """

    code: int | None
    output: str
    seconds: float


class _Running(NamedTuple):
    process: subprocess.Popen[bytes]
    log: Path
    begin: float

    def ended(self, code: int | None) -> Ended:
        return Ended(code, self.log.read_text(errors="replace"), round(time.perf_counter() - self.begin, 2))


def run_all(commands: dict[str, list[str]], seconds: float, side_by_side: int) -> dict[str, Ended]:
    """Run so many commands at a time; those that have not ended after so many seconds are killed."""
    deadline, waiting = time.perf_counter() + seconds, dict(commands)
    running: dict[str, _Running] = {}
    ended: dict[str, Ended] = {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < side_by_side and time.perf_counter() < deadline:
                name = next(iter(waiting))
                running[name] = _start(waiting.pop(name), Path(folder) / f"{len(ended) + len(running)}.log")
            for name, each in list(running.items()):
                if each.process.poll() is not None:
                    ended[name] = running.pop(name).ended(each.process.returncode)
            if time.perf_counter() >= deadline:
                break
            time.sleep(_POLL)
        for name, each in running.items():
            _kill(each.process)
            ended[name] = each.ended(None)
    return {name: ended.get(name, Ended(None, "not begun", 0.0)) for name in commands}


def _start(command: list[str], log: Path) -> _Running:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
    return _Running(process, log, time.perf_counter())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started: NVIDIA's tools run the program in a process of its own."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
