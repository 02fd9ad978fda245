"""Kernels for GPUs run by the interpreter, beside those of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.cuda import conditional, explicit, finish, own, whole
from gradsim_core.cuda.text import ptx_text
from gradsim_core.cuda.threads import Launch
from gradsim_core.lanes import LANES
from gradsim_core.results import quantities
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.schedules.table import SCHEDULES
from gradsim_core.simulator import Simulator, _log
from tests.core.conftest import Cell
from tests.core.cuda.interpreter import Program
from tests.core.cuda.memory import Memory, flatten

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


def functions_of(machine: Simulator) -> tuple[Any, ...]:
    row = machine._family
    return row.phi, row.dphi, row.log_phi or no_tail, row.log_dphi or no_tail


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
    work, delivered = whole.work_of(machine._work(params), slots, params.depth)
    failed = np.ones(_units(case), np.int8)
    return _launch(case, ("whole", case.schedule), work, failed, (delivered,), change)


def _units(case: Case) -> int:
    """How many groups, or networks where each has sixteen threads."""
    return case.count if case.schedule == "explicit" else case.count // LANES


@cache
def text_of(kind: tuple[str, str], family: Any, law: Any, types: tuple[Any, ...]) -> str:
    """PTX of a kernel."""
    machine_functions = *own.functions(family), family.log_phi or no_tail, family.log_dphi or no_tail
    if kind[0] == "fast":
        kernel = FAST[kind[1]].build(*machine_functions, law)
    else:
        row = next(row for row in SCHEDULES if row.name == kind[1])
        kernel = whole.build(row.build(*machine_functions, law), f"{family.name}_{law.name}_{kind[1]}")
    return ptx_text(kernel, types, (9, 0))


def _launch(case: Case, kind: tuple[str, str], work: Any, failed: np.ndarray, more: tuple, change: Any) -> Launched:
    from numba import typeof

    from gradsim_core.laws import LAWS

    machine, params, slots = case.cell.machine, case.cell.params, case.slots or _units(case)
    first = case.first if case.schedule == "explicit" else case.first // LANES
    size = -(-case.count // LANES) * 3 * params.depth * LANES
    launch = Launch(first, slots, np.zeros(size), np.zeros(size), failed)
    arguments = (params, machine._slopes, work, launch, *more)
    law = LAWS[machine.law.name.split("(")[0]]
    text = change(text_of(kind, machine._family, law, tuple(map(typeof, arguments))))
    ran, arrays = run(text, arguments, slots)
    results = arrays[-3 - len(more) : len(arrays) - len(more)]
    sums, exponents = (_as_networks(each, case.count, params.depth) for each in results[:2])
    per_network = 1 if case.schedule == "explicit" else LANES
    return Launched(sums, exponents, np.repeat(results[2] != 0, per_network), ran.steps, int(ran.executed.max()))


def run(text: str, arguments: tuple[Any, ...], slots: int) -> tuple[Any, list[np.ndarray]]:
    """Run a kernel with sixteen threads a slot; the launch, and all arrays of the arguments in their order."""
    memory, placed = Memory(_bytes(arguments) + 2**16), []
    parameters = flatten(memory, arguments, placed)
    launch = Program(text).run(parameters, memory.bytes, LANES * slots, block=min(LANES * slots, 128))
    return launch, [memory.read(*each) for each in placed]


@cache
def _text_of_finish(types: tuple[Any, ...]) -> str:
    return ptx_text(finish.build(), types, (9, 0))


def finished(case: Case, squares: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Quantities (quantities, networks, depth) and status of the networks' sums and exponents."""
    from numba import typeof

    (sums, exponents), depth, groups = map(_as_groups, squares), case.cell.params.depth, case.count // LANES
    launch = Launch(0, 2, sums, exponents, np.zeros(0, np.int8))
    values, status = np.zeros(groups * len(QUANTITIES) * depth * LANES), np.zeros(case.count)
    arguments = depth, _log(case.cell.params.width), launch, values, status
    _, arrays = run(_text_of_finish(tuple(map(typeof, arguments))), arguments, slots=2)
    values = arrays[-2].reshape(groups, len(QUANTITIES), depth, LANES).transpose(1, 0, 3, 2)
    return values.reshape(len(QUANTITIES), case.count, depth), arrays[-1]


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


def _bytes(value: object) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes + 512
    return sum(map(_bytes, value)) if isinstance(value, tuple) else 0


def _as_networks(flat: np.ndarray, count: int, depth: int) -> np.ndarray:
    return flat.reshape(-1, 3, depth, LANES).transpose(1, 0, 3, 2).reshape(3, -1, depth)[:, :count]


def same_bits(launched: Launched, expected: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether all networks that did not fail have the CPU's sums and exponents; NaN has many bits."""
    live = ~launched.failed
    pairs = zip((launched.sums, launched.exponents), expected, strict=True)
    return all(np.array_equal(a[:, live], b[:, live], equal_nan=True) for a, b in pairs)
