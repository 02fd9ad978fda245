"""A small sweep that every engine runs."""

from __future__ import annotations

from pathlib import Path

import gradsim as gs

RUN = {
    "activation": ["tanh", "relu"],
    "sigma_w": [0.8, 1.2, 1.6, 2.0],
    "depth": [3, 6],
    "width": 8,
    "networks": 300,
    "seed": 5,
    "shard_size": 100_000,
}
SWEEP = gs.Sweep(**RUN)


def run(path: Path, engine, sweep: gs.Sweep = SWEEP) -> gs.Run:
    return gs.run(sweep, path, engine=engine, progress="none")
