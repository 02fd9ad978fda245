"""Time against networks, depth and width, for both methods: `python -m bench.growth --plot growth.png`."""

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
    what: str
    values: tuple[int, ...]
    seconds: np.ndarray

    @property
    def exponent(self) -> float:
        """Slope on log axes over the upper half of the range."""
        half = len(self.values) // 2
        return float(np.polyfit(np.log(self.values[half:]), np.log(self.seconds[half:]), 1)[0])


def grow(method: str, what: str) -> Growth:
    """Time one thread, all sizes in turn in every round."""
    machine = Simulator(resolve_activation("tanh"), resolve_law("gaussian"), "float32", method)
    seconds = np.full(len(RANGES[what]), np.inf)
    for _ in range(ROUNDS):
        for i, value in enumerate(RANGES[what]):
            job = AT | {what: value}
            cell = machine.params(1, job["depth"], job["width"], 1.5)
            machine.block(cell, 0, 16)
            start = time.perf_counter()
            machine.block(cell, 0, job["networks"])
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return Growth(method, what, RANGES[what], seconds)


def draw(found: list[Growth], path: Path) -> None:
    """A panel for each of networks, depth and width, both methods on log axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = dict(zip(RANGES, figure.subplots(1, 3, sharey=True), strict=True))
    for one in found:
        colour = {"explicit": "#2c3e50", "conditional": "#c0392b"}[one.method]
        label = f"{one.method}: exponent {one.exponent:.2f}"
        panels[one.what].loglog(one.values, one.seconds, "o-", color=colour, label=label)
    for what, axes in panels.items():
        rest = ", ".join(f"{name} {value}" for name, value in AT.items() if name != what)
        axes.set(xlabel=what, title=rest)
        axes.set_xticks(RANGES[what], [f"{value:,}" for value in RANGES[what]])
        axes.minorticks_off()
        axes.legend(frameon=False)
        axes.grid(alpha=0.3, which="both")
    panels["networks"].set_ylabel("seconds, one thread")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print a table, and draw what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="draw the picture there")
    options = parser.parse_args()
    found = [grow(method, what) for what in RANGES for method in METHODS]
    print("| time against | method | exponent | from | to |\n|---|---|---:|---:|---:|")
    for one in found:
        span = f"{one.seconds[0] * 1e3:.2f} ms | {one.seconds[-1] * 1e3:.2f} ms"
        print(f"| {one.what} {one.values[0]} to {one.values[-1]} | {one.method} | {one.exponent:.2f} | {span} |")
    if options.plot:
        draw(found, options.plot)


if __name__ == "__main__":
    main()
