"""Kernels for GPUs run by the interpreter, beside those of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.cuda import texts
from gradsim_core.cuda.arguments import parameters, placed, types_of
from gradsim_core.cuda.kernels import conditional, explicit, whole
from gradsim_core.cuda.kernels.threads import Launch
from gradsim_core.lanes import LANES
from gradsim_core.laws import LAWS
from gradsim_core.results import quantities
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.schedules.table import SCHEDULES
from gradsim_core.simulator import Simulator, _log
from tests.core.conftest import Cell
from tests.core.cuda.stand_in import FACTS, StandIn

FAST = {"conditional": conditional, "explicit": explicit}


class Launched(NamedTuple):
    """What a launch gave: sums and exponents (3, networks, depth), the networks that failed, steps and instructions."""

    sums: np.ndarray
    exponents: np.ndarray
    failed: np.ndarray
    steps: int
    instructions: int


class Case(NamedTuple):
    """Networks of a cell on a schedule of the CPU, and so many slots of the GPU."""

    cell: Cell
    schedule: str
    count: int
    first: int = 0
    slots: int | None = None


def on_cpu(case: Case) -> tuple[np.ndarray, np.ndarray]:
    machine, params = _machine(case), case.cell.params
    sums, exponents = np.zeros((2, 3, case.count, params.depth))
    machine._run(params, case.first, machine._work(params), sums, exponents)
    return sums, exponents


def _machine(case: Case) -> Simulator:
    row = next(row for row in SCHEDULES if row.name == case.schedule)
    case.cell.machine.schedule = lambda params: row  # type: ignore[method-assign]
    return case.cell.machine


def fast(case: Case, change: Callable[[str], str] = str) -> Launched:
    """The fast kernel; `change` alters its text."""
    machine, params = _machine(case), case.cell.params
    slots = case.slots or _units(case)
    work = FAST[case.schedule].work_of(machine._work(params), slots)
    return _launch(case, ("fast", case.schedule), work, np.zeros(_units(case), np.int8), (), change)


def complete(case: Case, change: Callable[[str], str] = str) -> Launched:
    """The CPU's schedule as it is; `change` alters its text."""
    machine, params = _machine(case), case.cell.params
    slots = case.slots or _units(case)
    work, delivered = whole.work_of(machine._work(params), slots)
    failed = np.ones(_units(case), np.int8)
    return _launch(case, ("whole", case.schedule), work, failed, (delivered,), change)


def _units(case: Case) -> int:
    """How many groups, or networks where each has sixteen threads."""
    return case.count if case.schedule == "explicit" else case.count // LANES


def text_of(kind: tuple[str, str], family: Any, law: Any, types: tuple[Any, ...]) -> str:
    """PTX of a kernel."""
    make = texts.fast_text if kind[0] == "fast" else texts.whole_text
    row = next(row for row in SCHEDULES if row.name == kind[1])
    return make(texts.Family.of(family, law, row), types, FACTS.capability)


def _launch(case: Case, kind: tuple[str, str], work: Any, failed: np.ndarray, more: tuple, change: Any) -> Launched:
    machine, params, slots = case.cell.machine, case.cell.params, case.slots or _units(case)
    first = case.first if case.schedule == "explicit" else case.first // LANES
    size = -(-case.count // LANES) * 3 * params.depth * LANES
    stream = StandIn()
    launch = Launch(first, slots, *placed(stream, (np.zeros(size), np.zeros(size), failed)))
    arguments = params, machine._slopes, placed(stream, work), launch, *placed(stream, more)
    law = LAWS[machine.law.name.split("(")[0]]
    text = change(text_of(kind, machine._family, law, types_of(arguments)))
    threads = min(LANES * slots, 128)
    stream.launch(text, LANES * slots // threads, threads, parameters(arguments))
    sums, exponents = (_as_networks(stream.read(each), case.count, params.depth) for each in launch[2:4])
    per_network = 1 if case.schedule == "explicit" else LANES
    failed, ran = stream.read(launch.failed), stream.last
    assert ran is not None
    return Launched(sums, exponents, np.repeat(failed != 0, per_network), ran.steps, int(ran.executed.max()))


def finished(case: Case, squares: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Quantities (quantities, networks, depth) and status of the networks' sums and exponents."""
    depth, groups, stream = case.cell.params.depth, case.count // LANES, StandIn()
    sums, exponents = map(_as_groups, squares)
    launch = Launch(0, 2, *placed(stream, (sums, exponents, np.zeros(0, np.int8))))
    values, status, counted = placed(
        stream, (np.zeros(groups * len(QUANTITIES) * depth * LANES), np.zeros(case.count), np.ones(2 * case.count))
    )
    arguments = depth, _log(case.cell.params.width), launch, values, status, counted
    text = texts.common_text("finish", types_of(arguments), FACTS.capability)
    stream.launch(text, 1, 2 * LANES, parameters(arguments))
    found = stream.read(values).reshape(groups, len(QUANTITIES), depth, LANES).transpose(1, 0, 3, 2)
    return found.reshape(len(QUANTITIES), case.count, depth), stream.read(status)


def finished_on_cpu(case: Case, squares: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The same by the CPU's kernel."""
    depth = case.cell.params.depth
    sums, exponents = (np.append(each.reshape(-1), np.zeros(LANES)) for each in squares)
    values, status = np.zeros((len(QUANTITIES), case.count, depth)), np.zeros(case.count, np.int8)
    jit.compiled(quantities.kernel())(
        sums, exponents, depth, _log(case.cell.params.width), values.reshape(-1), 0, status
    )
    return values, status


def _as_groups(squares: np.ndarray) -> np.ndarray:
    """From (3, networks, depth) to what kernels leave: of each group (3, depth, 16), flat."""
    _, networks, depth = squares.shape
    groups = squares.reshape(3, networks // LANES, LANES, depth).transpose(1, 0, 3, 2)
    return np.ascontiguousarray(groups).reshape(-1)


def _as_networks(flat: np.ndarray, count: int, depth: int) -> np.ndarray:
    return flat.reshape(-1, 3, depth, LANES).transpose(1, 0, 3, 2).reshape(3, -1, depth)[:, :count]


def same_bits(launched: Launched, expected: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether all networks that did not fail have the CPU's sums and exponents; NaN has many bits."""
    live = ~launched.failed
    pairs = zip((launched.sums, launched.exponents), expected, strict=True)
    return all(np.array_equal(a[:, live], b[:, live], equal_nan=True) for a, b in pairs)
