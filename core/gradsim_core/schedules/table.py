"""The table of schedules: the ways of running a block of networks on a processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from gradsim_core.lanes import LANES
from gradsim_core.laws import WeightLaw
from gradsim_core.parameters import Params, Weights

from . import conditional, explicit, narrow, radial

Kernel = Callable[..., None]


@dataclass(frozen=True)
class Schedule:
    """A row of the table.

    Parameters
    ----------
    name : str
    method : str
        The method of the sweep that it implements: "explicit" or "conditional".
    device : str
        What it runs on: "cpu".
    group_size : int
        How many networks run side by side; blocks that begin at multiples of it waste no lanes.
    applies : callable
        (law, depth, width) -> whether it runs such networks. It depends on the cell alone, so that the numbers do, too.
    build : callable
        (phi, dphi, log_phi, log_dphi, law) -> the kernel, a function of (cell, slopes, first, work, sums, exponents).
    allocate : callable
        (cell, dtype, law) -> `work`, a NamedTuple of the arrays of a thread.
    memory : callable
        (law, depth, width) -> approximately how many numbers those arrays hold.
    read_back : callable or None
        (cell, network, work, law, call) -> `Weights` of a network that has just run; `call` compiles or interprets a
        function. None if the schedule draws no weights.
    generator : int
        Version of its random numbers: one more whenever the same network is drawn from others. Datasets store it, so
        that networks of two versions never meet in one.
    """

    name: str
    method: str
    device: str
    group_size: int
    applies: Callable[[WeightLaw, int, int], bool]
    build: Callable[..., Kernel]
    allocate: Callable[[Params, np.dtype[Any], WeightLaw], Any]
    memory: Callable[[WeightLaw, int, int], int]
    read_back: Callable[..., Weights] | None = None
    generator: int = 1


def _row(name: str, method: str, group_size: int, module: ModuleType, generator: int = 1) -> Schedule:
    """A row for the CPU, made of the functions of a module."""
    functions = module.applies, module.build, module.allocate, module.memory, getattr(module, "read_back", None)
    return Schedule(name, method, "cpu", group_size, *functions, generator)


SCHEDULES: tuple[Schedule, ...] = (
    _row("narrow", "explicit", LANES, narrow, generator=2),  # 1 shared input, readout and biases with "conditional"
    _row("explicit", "explicit", 1, explicit),
    _row("conditional", "conditional", LANES, conditional),
    _row("radial", "radial", LANES, radial, generator=2),  # 1 took more words for counts and chi-squares
)
"""All schedules; the first one that applies to a cell runs it."""
