"""Contenders in processes of their own, with a fixed number of threads each, that time what they are told to."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from bench.peers import PEERS, Job

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Setup(NamedTuple):
    """How a contender is run."""

    name: str
    chunk: int
    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads} threads, {self.chunk} at a time"


def installed(name: str) -> bool:
    """Whether a contender's library is there; gradsim is."""
    return name not in PEERS or importlib.util.find_spec(PEERS[name][0]) is not None


def _serve(pipe: Connection, threads: int, cores: list[int]) -> None:
    """Build steps and time them until told to stop; imports come after the threads are set."""
    os.sched_setaffinity(0, cores)
    steps: dict[Any, Any] = {}
    while (order := pipe.recv()) is not None:
        name, chunk, job, seconds = order
        kept = steps.get((name, job))
        if kept is None or kept[0] != chunk:  # one size of each is kept: the others' arrays would pile up
            steps.pop((name, job), None)
            kept = steps[name, job] = chunk, _make(name, chunk, job, threads)
            kept[1]()  # compile, touch memory
        step = kept[1]
        pipe.send("ready")
        pipe.recv()
        start, gains = time.perf_counter(), []
        while not gains or time.perf_counter() - start < seconds:
            gains.append(step())
        elapsed = time.perf_counter() - start
        all_gains = np.concatenate(gains)
        pipe.send((len(all_gains) / elapsed, all_gains[:20_000]))


def _make(name: str, chunk: int, job: Job, threads: int) -> Any:
    if name in PEERS:
        library, make = PEERS[name]
        if library == "torch":
            import torch

            torch.set_num_threads(threads)
        return make(job, chunk)
    from bench.own import OWN

    return OWN[name](job, chunk, threads)


class Workers:
    """As many processes as asked for, each on its own share of the cores, that measure at the same time."""

    def __init__(self, processes: int, threads: int) -> None:
        context, cores = multiprocessing.get_context("spawn"), sorted(os.sched_getaffinity(0))
        environment = dict.fromkeys(_THREADS, str(threads)) | {
            "XLA_FLAGS": "" if processes == 1 else "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        }
        kept = {name: os.environ.get(name) for name in (*environment, "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        for name in kept:  # spawned processes inherit what is set now; the two of OpenBLAS are left to it
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in environment.items() if value})
        self.pipes, self.running = [], []
        for index in range(processes):
            ours, theirs = context.Pipe()
            share = cores[index::processes] if processes > 1 else cores
            process = context.Process(target=_serve, args=(theirs, threads, share), daemon=True)
            process.start()
            self.pipes.append(ours)
            self.running.append(process)
        for name in kept:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in kept.items() if value is not None})

    def measure(self, name: str, chunk: int, job: Job, seconds: float) -> tuple[float, np.ndarray]:
        """Networks per second of all processes together, and some of what they computed."""
        for pipe in self.pipes:
            pipe.send((name, chunk, job, seconds))
        for pipe in self.pipes:
            pipe.recv()
        for pipe in self.pipes:
            pipe.send("go")
        found = [pipe.recv() for pipe in self.pipes]
        return sum(rate for rate, _ in found), np.concatenate([gains for _, gains in found])

    def stop(self) -> None:
        """End the processes."""
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.running:
            process.join()
