"""The table of schedules: the ways in which a block of networks runs through a processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from gradsim_core.lanes import LANES
from gradsim_core.laws import WeightLaw
from gradsim_core.parameters import Params, Weights

from . import conditional, explicit, narrow

Kernel = Callable[..., None]


@dataclass(frozen=True)
class Schedule:
    """A row of the table.

    Parameters
    ----------
    name : str
    method : str
        The sweep's method that it carries out.
    device : str
        What it runs on.
    group_size : int
        Networks that run side by side: blocks had best begin at multiples of it.
    applies : callable
        (law, depth, width) -> whether it can run such networks. It looks at the cell alone, so that the numbers do.
    build : callable
        (phi, dphi, log_phi, log_dphi, law) -> the kernel, a function of (cell, slopes, first, work, sums, exponents).
    allocate : callable
        (cell, dtype, law) -> `work`, the arrays of a thread.
    memory : callable
        (law, depth, width) -> how many numbers a thread keeps.
    read_back : callable or None
        (cell, network, work, law, call) -> `Weights` of a network that has just run; None where no weights are drawn.
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


def _row(name: str, method: str, group_size: int, module: ModuleType) -> Schedule:
    """A schedule of the CPU whose parts are the functions of a module."""
    functions = module.applies, module.build, module.allocate, module.memory, getattr(module, "read_back", None)
    return Schedule(name, method, "cpu", group_size, *functions)


SCHEDULES: tuple[Schedule, ...] = (
    _row("narrow", "explicit", LANES, narrow),
    _row("explicit", "explicit", 1, explicit),
    _row("conditional", "conditional", LANES, conditional),
)
"""Every schedule; of those that apply to a cell the first one runs it."""
