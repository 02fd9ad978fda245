"""Engines beside the local one, in one run on the same cores: `python -m bench.compare_engines --help`.

Each round runs the same sweep by every engine into a new directory, in turn. Whole calls are timed, the start of Dask's
processes included.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import gradsim as gs
from bench.compare_peers import machine
from gradsim.simulation.processors import warm_up
from gradsim.system.threads import available_threads

NORMALS_PER_SECOND = 3.2e9  # of one core


def sweep_of(seconds: float, shards: int) -> gs.Sweep:
    """A sweep whose shards take about so many seconds on one core."""
    size = int(seconds * NORMALS_PER_SECOND)
    networks = size * shards // (64**2 * 32)
    return gs.Sweep(activation="tanh", sigma_w=1.5, depth=32, width=64, networks=networks, seed=1, shard_size=size)


def timed(sweep: gs.Sweep, engine: str) -> float:
    """Seconds of a whole run."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        gs.run(sweep, Path(folder) / "run", engine=engine, progress="none")
        return time.monotonic() - begin


def shown(values: list[float]) -> str:
    """Median, and the least and the most."""
    return f"{statistics.median(values):.3f} ({min(values):.3f} - {max(values):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of a shard on one core")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cores = available_threads()
    engines = ["local", f"dask-local:{cores}"]
    sweep = sweep_of(options.seconds, options.shards)
    warm_up(sweep)
    print(machine())
    print(f"{options.shards} shards of {options.seconds:g} s on one core; {cores} cores")
    found: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(options.rounds):
        for engine in engines:
            found[engine].append(timed(sweep, engine))
    for engine in engines:
        ratios = [ours / other for ours, other in zip(found["local"], found[engine], strict=True)]
        print(f"{engine:14} {shown(found[engine])} s, throughput over local {shown(ratios)}")


if __name__ == "__main__":
    main()
