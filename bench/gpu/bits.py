"""Part: the bits of the CPU. Values, status and sums of many networks, twice by the GPU and by all cores."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple

import numpy as np

from bench.gpu.cases import Case
from bench.gpu.record import Bench
from bench.gpu.recorder import Recorder
from gradsim_core.cuda.interface import Stream
from gradsim_core.cuda.simulator import Block, GpuSimulator
from gradsim_core.lanes import LANES
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import Sums, reduce


class Expected(NamedTuple):
    """What the CPU gives."""

    values: np.ndarray
    status: np.ndarray
    sums: Sums


def on_cpu(case: Case, first: int, count: int, threads: Executor) -> Expected:
    """Run networks on all cores, whole groups a thread."""
    machine, cell = case.machine()
    size = max(1, count // (4 * len(os.sched_getaffinity(0))) // LANES) * LANES
    starts = range(0, count, size)
    parts = list(threads.map(lambda i: machine.block(cell, first + i, min(size, count - i)), starts))
    values = np.concatenate([part[0] for part in parts], axis=1)
    return Expected(values, np.concatenate([part[1] for part in parts]), reduce(values))


def on_gpu(case: Case, stream: Stream, first: int, count: int) -> Block:
    """Run the same networks on the GPU."""
    machine, cell = case.machine()
    return GpuSimulator(machine).block(stream, cell, first, count, keep=True)


def digest(arrays: Sequence[np.ndarray]) -> str:
    """A hash of all bytes."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def all_arrays(block: Block | Expected) -> list[np.ndarray]:
    """Values, status and sums."""
    assert block.values is not None
    assert block.status is not None
    return [block.values, block.status, *block.sums]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays have the same bytes, but for the payload of NaN."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tobytes() == b.tobytes() or bool((_bits(a) == _bits(b)).all())


def _bits(a: np.ndarray) -> np.ndarray:
    """The bits as integers, of any NaN the same."""
    a = np.ascontiguousarray(a)
    if a.dtype.kind != "f":
        return a
    return np.where(np.isnan(a), np.array(np.nan, a.dtype), a).view(f"i{a.dtype.itemsize}")


def difference(case: Case, first: int, found: Block, expected: Expected) -> dict[str, Any] | None:
    """The first difference in detail, and how many numbers differ; None if there is none."""
    names = ("values", "status", *Sums._fields)
    for name, a, b in zip(names, all_arrays(found), all_arrays(expected), strict=True):
        if not same(a, b):
            return {"case": str(case), "array": name, **_detail(name, a, b, first)}
    return None


def _detail(name: str, a: np.ndarray, b: np.ndarray, first: int) -> dict[str, Any]:
    if a.shape != b.shape or a.dtype != b.dtype:
        return {"gpu": f"{a.dtype} {a.shape}", "cpu": f"{b.dtype} {b.shape}"}
    places = np.argwhere(_bits(a) != _bits(b))
    place = tuple(int(i) for i in places[0])
    told: dict[str, Any] = {"differ": len(places), "of": a.size, "place": place}
    if name == "values":
        told |= {"quantity": list(QUANTITIES)[place[0]], "network": first + place[1], "layer": place[2] + 1}
        told["networks that differ"] = len(np.unique(places[:, 1]))
    told |= {who: f"{x[place]!r} {np.array(x[place]).tobytes()[::-1].hex()}" for who, x in (("gpu", a), ("cpu", b))}
    return told


def compare(bench: Bench, case: Case, stream: Stream) -> dict[str, Any]:
    """Compare a case block by block until its networks or the part's time are at an end."""
    seconds, done, hashes, failed = {"gpu": 0.0, "cpu": 0.0}, 0, [], 0
    for start in range(0, case.networks, bench.sizes.block):
        if done and bench.cut("bits"):
            break
        first, count = case.first + start, min(bench.sizes.block, case.networks - start)
        begin = time.perf_counter()
        found = on_gpu(case, stream, first, count)
        middle = time.perf_counter()
        expected = on_cpu(case, first, count, bench.threads)
        seconds["gpu"] += middle - begin
        seconds["cpu"] += time.perf_counter() - middle
        told = difference(case, first, found, expected)
        if told:
            bench.report.differences.append(told)
            failed += count
        hashes.append(digest(all_arrays(found)))
        done += count
    whole = digest([np.array(hashes)])
    rates = {f"{who}_networks_per_second": round(done / each) for who, each in seconds.items() if each}
    return {"case": str(case), "networks": done, "in_blocks_that_differ": failed, "digest": whole, **rates}


def bits(bench: Bench) -> None:
    """Part: every case beside the CPU."""
    rows = bench.part("bits").setdefault("cases", [])
    for case in bench.sizes.bits:
        if bench.cut("bits"):
            break
        stream = bench.lab.stream()
        try:
            rows.append(compare(bench, case, stream))
        except Exception as error:
            rows.append({"case": str(case), "networks": 0, "error": f"{type(error).__name__}: {error}"})
            bench.report.problems.setdefault(f"bits of {case}", rows[-1]["error"])
        bench.report.save()


def again(bench: Bench) -> None:
    """Part: the same block three times, by other thread blocks, and by fewer slots, gives the same bytes."""
    rows = bench.part("again")
    for case in bench.sizes.again:
        count, found = min(case.networks, bench.sizes.block), {}
        flight = bench.lab.facts.threads
        few = max(LANES, flight // 3 // LANES * LANES)
        ways: list[tuple[str, int | None, int | None]] = [(f"run {i}", None, None) for i in (1, 2, 3)]
        ways += [(f"blocks of {n} threads", n, None) for n in bench.sizes.thread_blocks]
        ways += [(f"{n} threads in flight", None, n) for n in (few, max(LANES, few // 8 // LANES * LANES))]
        for name, threads, in_flight in ways:
            if bench.cut("again"):
                break
            recorder = Recorder(bench.lab.stream(), threads, in_flight)
            try:
                found[name] = digest(all_arrays(on_gpu(case, recorder, case.first, count)))
            finally:
                recorder.close()
        rows[str(case)] = found
        if len(set(found.values())) > 1:
            bench.report.differences.append({"case": str(case), "array": "all, run to run", "digests": found})
