"""Whole runs of the radial and the conditional method, statistics and files included: `python -m bench.methods`."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import gradsim as gs

SIZES = {(64, 32): 2**20, (256, 64): 2**18, (1024, 64): 2**16}
"""Networks of the conditional method by width and depth; the radial method runs `MORE` times as many."""
MORE = {(64, 32): 4, (256, 64): 8, (1024, 64): 32}


def seconds(method: str, width: int, depth: int, networks: int) -> float:
    """Time of a run of one cell of relu networks, from the sweep to the committed dataset."""
    sweep = gs.Sweep(
        activation="relu", sigma_w=2**0.5, depth=depth, width=width, networks=networks, seed=1, method=method
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        gs.run(sweep, Path(folder) / "run", progress="none")
        return time.perf_counter() - start


def main() -> None:
    """Measure in turn, and print networks per second and the median ratio of a round, with its range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| width, depth | radial, networks/s | conditional, networks/s | ratio |\n|---|---:|---:|---:|")
    for (width, depth), networks in SIZES.items():
        many = networks * MORE[width, depth]
        for method in ("radial", "conditional"):
            seconds(method, width, depth, 16)  # compiles
        rounds = [
            (many / seconds("radial", width, depth, many), networks / seconds("conditional", width, depth, networks))
            for _ in range(options.rounds)
        ]
        fast, slow = (statistics.median(rate) for rate in zip(*rounds, strict=True))
        ratios = sorted(one / other for one, other in rounds)
        span = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} - {ratios[-1]:.1f})"
        print(f"| {width}, {depth} | {fast:,.0f} | {slow:,.0f} | {span} |", flush=True)


if __name__ == "__main__":
    main()
