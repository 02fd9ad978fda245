"""A small sweep that every engine runs."""

from __future__ import annotations

from pathlib import Path

import gradsim as gs
from tests.gradsim.small_dataset import RUN

SWEEP = gs.Sweep(**RUN)


def run(path: Path, engine, sweep: gs.Sweep = SWEEP) -> gs.Run:
    return gs.run(sweep, path, engine=engine, progress="none")
