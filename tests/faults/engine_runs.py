"""A small sweep that every engine runs, and the processes that run it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

import gradsim as gs
from tests.gradsim.small_dataset import RUN

SWEEP = gs.Sweep(**RUN)


def run(path: Path, engine, sweep: gs.Sweep = SWEEP) -> gs.Run:
    return gs.run(sweep, path, engine=engine, progress="none")


def command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
