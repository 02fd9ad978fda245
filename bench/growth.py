"""Time against networks, depth and width, for every method: `python -m bench.growth --plot growth.png`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import METHODS
from gradsim_core.laws import resolve_law
from gradsim_core.simulator import Simulator

AT = {"networks": 256, "depth": 32, "width": 64}
RANGES = {
    "networks": (64, 128, 256, 512, 1024, 2048),
    "depth": (8, 16, 32, 64, 128, 256),
    "width": (16, 32, 64, 128, 256, 512),
}
ROUNDS = 5


class Growth(NamedTuple):
    """Seconds of a call, least of several rounds, as one number of the job grows."""

    method: str
    axis: str
    values: tuple[int, ...]
    seconds: np.ndarray

    @property
    def exponent(self) -> float:
        """Slope on log axes over the upper half of the range."""
        half = len(self.values) // 2
        return float(np.polyfit(np.log(self.values[half:]), np.log(self.seconds[half:]), 1)[0])


def grow(method: str, axis: str) -> Growth:
    """Time one thread, all sizes in turn in every round."""
    simulator = Simulator(resolve_activation("relu"), resolve_law("gaussian"), "float32", method)
    seconds = np.full(len(RANGES[axis]), np.inf)
    for _ in range(ROUNDS):
        for i, value in enumerate(RANGES[axis]):
            job = AT | {axis: value}
            cell = simulator.params(1, job["depth"], job["width"], 1.5)
            simulator.block(cell, 0, 16)
            start = time.perf_counter()
            simulator.block(cell, 0, job["networks"])
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return Growth(method, axis, RANGES[axis], seconds)


def draw(found: list[Growth], path: Path) -> None:
    """A panel for each of networks, depth and width, every method on log axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = dict(zip(RANGES, figure.subplots(1, 3, sharey=True), strict=True))
    for growth in found:
        colour = {"explicit": "#2c3e50", "conditional": "#c0392b", "radial": "#2980b9"}[growth.method]
        label = f"{growth.method}: exponent {growth.exponent:.2f}"
        panels[growth.axis].loglog(growth.values, growth.seconds, "o-", color=colour, label=label)
    for axis, axes in panels.items():
        rest = ", ".join(f"{name} {value}" for name, value in AT.items() if name != axis)
        axes.set(xlabel=axis, title=rest)
        axes.set_xticks(RANGES[axis], [f"{value:,}" for value in RANGES[axis]])
        axes.minorticks_off()
        axes.legend(frameon=False)
        axes.grid(alpha=0.3, which="both")
    panels["networks"].set_ylabel("seconds, one thread")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print a table, and draw the picture if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="draw the picture there")
    options = parser.parse_args()
    found = [grow(method, axis) for axis in RANGES for method in METHODS]
    print("| time against | method | exponent | from | to |\n|---|---|---:|---:|---:|")
    for growth in found:
        sizes = f"{growth.values[0]} to {growth.values[-1]}"
        span = f"{growth.seconds[0] * 1e3:.2f} ms | {growth.seconds[-1] * 1e3:.2f} ms"
        print(f"| {growth.axis} {sizes} | {growth.method} | {growth.exponent:.2f} | {span} |")
    if options.plot:
        draw(found, options.plot)


if __name__ == "__main__":
    main()
