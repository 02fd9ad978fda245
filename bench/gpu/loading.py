"""Part: how long kernels take to compile, and how many registers they have. Afterwards all are in the caches.

Numba compiles one kernel at a time in a process, so every kind of network has a process of its own, side by side. In
them Numba makes PTX, the driver machine code, and 32 networks are compared with the CPU's.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from bench.gpu import own
from bench.gpu.bits import difference, on_cpu, on_gpu
from bench.gpu.cases import Case, Sizes
from bench.gpu.lab import Lab, again
from bench.gpu.processes import run_all
from bench.gpu.record import Bench
from bench.gpu.recorder import Recorder
from gradsim_core.cuda.compiler import text
from gradsim_core.cuda.texts import ROUTES
from gradsim_core.laws import LAWS

FEW = 32  # networks
_MOST_PROCESSES = 16


def tasks(sizes: Sizes) -> dict[str, Case | str]:
    """What is compiled: a case of each kind, and the benchmark's own kernels."""
    cases = {"-".join(case.kind()): case for case in reversed((*sizes.bits, *(each.case() for each in sizes.timed)))}
    names = {name: name for each in sizes.timed for name in own.OF_METHOD[each.method]}
    return {**cases, **names}


def limited(words: str, registers: int) -> str:
    """A text whose kernel has at most so many registers a thread."""
    return re.sub(r"(\.entry \w+\([^)]*\))", rf"\1\n.maxnreg {registers}", words, count=1)


@contextmanager
def _compilation() -> Iterator[dict[str, float]]:
    """Seconds that each text took to make; texts from the cache are not among them."""
    found: dict[str, float] = {}
    original = text.ptx_text

    def timed(*arguments: Any) -> str:
        begin = time.perf_counter()
        made = original(*arguments)
        found[made] = time.perf_counter() - begin
        return made

    text.ptx_text = timed
    try:
        yield found
    finally:
        text.ptx_text = original


def warm(lab: Lab, sizes: Sizes, name: str, threads: Executor) -> dict[str, Any]:
    """Compile one task's kernels; returns what that took, and the first difference if there is any."""
    task = tasks(sizes)[name]
    recorder = Recorder(lab.stream(0.05))
    with _compilation() as made:
        try:
            if isinstance(task, str):
                return {"kernels": _own(lab, recorder, task, sizes, made)}
            return _of_case(lab, recorder, task, sizes, made, threads)
        finally:
            recorder.close()


def _own(lab: Lab, recorder: Recorder, name: str, sizes: Sizes, made: dict[str, float]) -> dict[str, Any]:
    timed = next(each for each in sizes.timed if name in own.OF_METHOD[each.method])
    launched = own.launch(name, recorder, timed._replace(networks=FEW))
    return {name: {"ptx_seconds": made.get(launched.text), **lab.load(launched.text)._asdict()}}


def _of_case(
    lab: Lab, recorder: Recorder, case: Case, sizes: Sizes, made: dict[str, float], threads: Executor
) -> dict[str, Any]:
    loaded: dict[str, Any] = {}
    recorder.before = lambda words: loaded.setdefault(words, lab.load(words)._asdict())
    found = on_gpu(case, recorder, case.first, FEW)
    begin = time.perf_counter()
    expected = on_cpu(case, case.first, FEW, threads)
    told: dict[str, Any] = {"cpu_seconds": round(time.perf_counter() - begin, 2)}
    machine, cell = case.machine()
    fast = ROUTES[machine.schedule(cell).name].runs_fast(LAWS[machine.law.name.split("(")[0]])
    names = recorder.named(fast)
    rows = {name: {"ptx_seconds": made.get(each.text), **loaded[each.text]} for name, each in names.items()}
    if fast and any(each.case().kind() == case.kind() for each in sizes.timed):
        for limit in sizes.registers:
            rows[f"fast, at most {limit} registers"] = lab.load(limited(names["fast"].text, limit))._asdict()
    return {**told, "kernels": rows, "difference": difference(case, case.first, found, expected)}


def loading(bench: Bench) -> None:
    """Part: compile everything."""
    found, names = bench.part("loading"), list(tasks(bench.sizes))
    if not bench.lab.in_processes:
        for name in names:
            if bench.cut("loading"):
                return
            _note(bench, name, warm(bench.lab, bench.sizes, name, bench.threads))
        return
    cores = len(os.sched_getaffinity(0))
    commands = {name: again("--warm", name) for name in names}
    for name, ended in run_all(commands, bench.clock.left_of_part, min(cores, _MOST_PROCESSES)).items():
        if ended.code == 0:
            lines = [line for line in ended.output.splitlines() if line.startswith("{")]
            _note(bench, name, json.loads(lines[-1]))
            found[name]["seconds"] = ended.seconds
        else:
            found[name] = {"error": f"exit code {ended.code}: {ended.output[-1500:]}", "seconds": ended.seconds}
            bench.report.problems[f"loading {name}"] = found[name]["error"]


def _note(bench: Bench, name: str, found: dict[str, Any]) -> None:
    told = found.pop("difference", None)
    bench.part("loading")[name] = found
    if told:
        bench.report.differences.append(told)
