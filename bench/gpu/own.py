"""Launches of the benchmark's own kernels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu import kernels, storing
from bench.gpu.cases import Case, Timed
from bench.gpu.recorder import PER_BLOCK, Launched, Recorder
from gradsim_core.cuda import texts
from gradsim_core.cuda.arguments import parameters, placed, types_of
from gradsim_core.cuda.kernels.slots import bytes_of
from gradsim_core.cuda.kernels.threads import Launch
from gradsim_core.lanes import LANES
from gradsim_core.laws import LAWS

NAMES = ("normals", "weights", "storing")
OF_METHOD = {"conditional": ("normals",), "explicit": ("weights", "storing")}


def names(timed: Timed) -> tuple[str, ...]:
    """The kernels beside which a job is timed. They compute in float32."""
    return OF_METHOD[timed.method] if timed.dtype == "float32" else ()


def launch(name: str, recorder: Recorder, timed: Timed) -> Launched:
    """Launch a kernel once; the launch."""
    if name == "storing":
        return launch_storing(recorder, timed.case())
    _, cell = timed.case().machine()
    units = timed.networks // LANES if name == "normals" else timed.networks
    slots = whole_blocks(min(units, recorder.facts.threads // LANES))
    out = recorder.zeros((slots * LANES,), kernels.FLOAT)
    return _launch(name, recorder, slots, (cell, units, slots, kernels.FLOAT(timed.job.scale), out))


def launch_storing(recorder: Recorder, case: Case) -> Launched:
    """Launch the storing kernel on whole groups; sums and exponents are the next two arrays of the recorder."""
    machine, cell = case.machine()
    networks = -(-case.networks // LANES) * LANES
    sums, exponents = (recorder.zeros((3 * networks * cell.depth,), np.float64) for _ in range(2))
    marks = recorder.zeros((networks,), np.int8)
    work = machine._work(cell)
    fit = int(0.8 * recorder.free_memory()) // bytes_of(storing.stored_work_of(cell, work, 1))
    slots = whole_blocks(max(1, min(networks, recorder.facts.threads // LANES, fit)))
    placed_work = placed(recorder, storing.stored_work_of(cell, work, slots))
    launched = Launch(case.first, slots, sums, exponents, marks)
    return _launch("storing", recorder, slots, (cell, machine._slopes, placed_work, launched))


def whole_blocks(slots: int) -> int:
    """So many slots that they fill thread blocks."""
    each = PER_BLOCK // LANES
    return slots // each * each if slots >= each else slots


def _launch(name: str, recorder: Recorder, slots: int, arguments: tuple[Any, ...]) -> Launched:
    threads = min(PER_BLOCK, slots * LANES)
    text = text_of(name, types_of(arguments), recorder.facts.capability)
    recorder.launch(text, slots * LANES // threads, threads, parameters(arguments))
    return recorder.launches[-1]


def text_of(name: str, types: tuple[Any, ...], capability: tuple[int, int]) -> str:
    """PTX, kept beside that of the core's kernels."""
    module = storing if name == "storing" else kernels
    source = hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()[:16]

    def build() -> Any:
        if name != "storing":
            return kernels.KERNELS[name]
        tanh = _tanh()
        return storing.build(*tanh, LAWS["gaussian"])

    return texts._kept(f"bench {name} {source}", build, types, capability)


def _tanh() -> tuple[Any, ...]:
    case = Case("tanh", "gaussian", "float32", "explicit", 1, 32, 1.0, 0.0, 0, 1)
    machine, cell = case.machine()
    return texts.Family.of(machine._family, LAWS["gaussian"], machine.schedule(cell)).functions()
