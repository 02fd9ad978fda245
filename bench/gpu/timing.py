"""Part: how long each kernel takes by itself. Contenders take turns, so that ratios are of one time and one clock."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from bench.gpu import own
from bench.gpu.bits import same
from bench.gpu.cases import Timed
from bench.gpu.loading import limited
from bench.gpu.record import Bench
from bench.gpu.recorder import Launched, Recorder
from gradsim_core.cuda.simulator import GpuSimulator

LANES_PER_CLOCK = 128  # of a multiprocessor, compute capability 8.6 on and 9.0: four schedulers of a warp each
USUAL_CLOCK = 1755.0  # MHz, of an H100; taken where the clock cannot be read

CPU = {
    ("conditional", 64, 32): 1_019_889,
    ("conditional", 256, 64): 140_865,
    ("explicit", 64, 32): 45_205,
    ("explicit", 256, 64): 1_412,
}
"""Networks a second of two cores in float32, from bench/README.md, by method, width and depth."""


def over_cpu(timed: Timed, rate: float) -> dict[str, float]:
    """A rate over that of two cores, where that has been measured."""
    cpu = CPU.get((timed.method, timed.job.width, timed.job.depth)) if timed.dtype == "float32" else None
    return {"over_two_cpu_cores": round(rate / cpu, 1)} if cpu else {}


def instructions(timed: Timed) -> float:
    """Of a network, estimated from machine code for compute capability 9.0 with tanh in float32.

    Conditional: 144 a neuron, and 600 a layer. Explicit: 50 a weight in the forward and 49 in the backward pass.
    """
    per_layer = 144 * timed.job.width + 600 if timed.method == "conditional" else 99 * timed.job.width**2
    return float(timed.job.depth * per_layer)


def summary(seconds: list[float], networks: int) -> dict[str, Any]:
    """Median, least and most of networks a second, and of milliseconds."""
    rates = [networks / each for each in seconds]
    spread = [round(float(f(rates))) for f in (np.median, np.min, np.max)]
    return {"networks_per_second": spread, "milliseconds": round(1e3 * float(np.median(seconds)), 4), "n": len(seconds)}


class Stopwatch:
    """Times launches on a stream: some in a row, until all have ended."""

    def __init__(self, recorder: Recorder, least: float) -> None:
        self._recorder, self._least = recorder, least
        self._end = recorder.zeros((1,), np.float64)
        self._repeat: dict[str, int] = {}

    def seconds(self, name: str, launched: Launched) -> float:
        """Seconds of one launch. The first time of a name is to warm up, and decides how many are in a row."""
        if name not in self._repeat:
            self._time(launched, 1)
            self._repeat[name] = max(1, math.ceil(self._least / self._time(launched, 1)))
        return self._time(launched, self._repeat[name])

    def _time(self, launched: Launched, repeat: int) -> float:
        begin = time.perf_counter()
        for _ in range(repeat):
            self._recorder.launch_again(launched)
        self._recorder.read(self._end)
        return (time.perf_counter() - begin) / repeat


def in_turn(bench: Bench, watch: Stopwatch, launches: dict[str, Launched]) -> dict[str, list[float]]:
    """Seconds of each, in rounds of all."""
    found: dict[str, list[float]] = {name: [] for name in launches}
    for number in range(bench.sizes.rounds):
        for name, launched in launches.items():
            if number and bench.cut("timing"):
                return found
            found[name].append(watch.seconds(name, launched))
    return found


def variants(bench: Bench, fast: Launched) -> dict[str, Launched]:
    """The networks' kernel in thread blocks of several sizes, and with limits of registers."""
    found = {}
    for threads in bench.sizes.thread_blocks:
        for limit in (None, *bench.sizes.registers):
            text = fast.text if limit is None else limited(fast.text, limit)
            name = f"{threads} threads" + ("" if limit is None else f", at most {limit} registers")
            found[name] = fast._replace(text=text).reshaped(threads)
    return found


def check_variants(bench: Bench, timed: Timed, recorder: Recorder, launches: dict[str, Launched]) -> None:
    """Each variant leaves the same sums and exponents."""
    expected = recorder.squares()
    for name, launched in launches.items():
        recorder.launch_again(launched)
        if not all(map(same, recorder.squares(), expected)):
            bench.report.differences.append({"case": str(timed), "array": f"sums and exponents of {name}"})


def own_kernels(bench: Bench, timed: Timed, recorder: Recorder) -> dict[str, Launched]:
    """The benchmark's own kernels for a job; the one that stores weights gives the sums of the one that does not."""
    found = {}
    for name in own.names(timed):
        before = len(recorder.arrays)
        found[name] = own.launch(name, recorder, timed)
        stored = [recorder.read(a) for a in recorder.arrays[before : before + 2]] if name == "storing" else []
        if not all(same(*pair) for pair in zip(stored, recorder.squares(), strict=False)):
            bench.report.differences.append({"case": str(timed), "array": "sums and exponents, weights stored"})
    return found


def under_load(bench: Bench, recorder: Recorder, launched: Launched, seconds: float = 1.0) -> str | None:
    """The clock while a kernel runs."""
    reading, end = bench.threads.submit(bench.lab.clock, seconds), recorder.zeros((1,), np.float64)
    while not reading.done():
        recorder.launch_again(launched)
        recorder.read(end)
    return reading.result()


def time_job(bench: Bench, timed: Timed, with_variants: bool) -> dict[str, Any]:
    """Times of all kernels of a block, and of variants."""
    recorder = Recorder(bench.lab.stream())
    try:
        machine, cell = timed.case().machine()
        GpuSimulator(machine).block(recorder, cell, 0, timed.networks)
        of_block = recorder.named(runs_fast=True)
        found: dict[str, Any] = {"networks": timed.networks, "clock": under_load(bench, recorder, of_block["fast"])}
        launches = {**of_block, **own_kernels(bench, timed, recorder)}
        if with_variants:
            more = variants(bench, of_block["fast"])
            check_variants(bench, timed, recorder, more)
            launches |= more
        watch = Stopwatch(recorder, bench.sizes.least)
        seconds = in_turn(bench, watch, launches)
        found["kernels"] = {name: summary(each, timed.networks) for name, each in seconds.items() if each}
        return {**found, **ratios(bench, timed, found)}
    finally:
        recorder.close()


def ratios(bench: Bench, timed: Timed, found: dict[str, Any]) -> dict[str, Any]:
    """The fast kernel's rate over what the multiprocessors can issue, over the CPU's, and over own kernels."""
    rate = {name: row["networks_per_second"][0] for name, row in found["kernels"].items()}
    clock = float(found["clock"] or USUAL_CLOCK)
    told: dict[str, Any] = {"clock_taken": clock, **over_cpu(timed, rate["fast"])}
    if timed.dtype == "float32":
        most = bench.lab.multiprocessors * LANES_PER_CLOCK * clock * 1e6 / instructions(timed)
        told["percent_of_issue"] = round(100 * rate["fast"] / most, 1)
    for name in own.names(timed):
        if rate.get(name):
            told[f"time_over_{name}"] = round(rate[name] / rate["fast"], 3)
    return told


def timing(bench: Bench) -> None:
    """Part: kernels by themselves."""
    found = bench.part("timing")
    kernels: set[tuple[str, str]] = set()
    for timed in bench.sizes.timed:
        if bench.cut("timing"):
            return
        try:
            found[str(timed)] = time_job(bench, timed, with_variants=(timed.method, timed.dtype) not in kernels)
        except Exception as error:
            bench.report.problems[f"timing {timed}"] = f"{type(error).__name__}: {error}"
        kernels.add((timed.method, timed.dtype))
        bench.report.save()
