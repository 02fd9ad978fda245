"""gradsim's own contenders, and what bounds them: the same random numbers drawn and used for nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bench.peers import Job, Step
from gradsim_core import jit
from gradsim_core.activations import resolve_activation
from gradsim_core.lanes import LANES
from gradsim_core.laws import dense, gaussian, resolve_law
from gradsim_core.rng.draws import Source, fill_drawn
from gradsim_core.rng.philox import GROUP_BACKWARD, GROUP_FORWARD, ROLE_WEIGHT
from gradsim_core.schedules import conditional
from gradsim_core.simulator import Simulator


def weights_only(cell, first, count, scale, work):
    """Draw and store the weights of networks first .. first + count - 1 as `dense.forward` does, unused."""
    counters = dense.layer_size(cell.width) // (4 * LANES)
    for network in range(first, first + count):
        for layer in range(1, cell.depth + 1):
            out = (layer - 1) * dense.layer_size(cell.width)
            source = Source(cell, network, layer, ROLE_WEIGHT)
            fill_drawn(gaussian, source, counters, scale, work.words, work.weights, out)


def normals_only(cell, first, count, scale, work):
    """Draw and store the 2 N L normals of the conditional sampler, unused."""
    size = conditional.rows(cell.width) * LANES
    for group in range(first // LANES, (first + count) // LANES):
        for layer in range(1, cell.depth + 1):
            conditional.fill(cell, group, layer, GROUP_FORWARD, work.words, work.z, (layer - 1) * size)
            conditional.fill(cell, group, layer, GROUP_BACKWARD, work.words, work.g, 0)


def simulate(method: str) -> Callable[[Job, int, int], Step]:
    """Steps of gradsim itself: a block on each thread."""

    def make(job: Job, chunk: int, threads: int) -> Step:
        machine = Simulator(resolve_activation("tanh"), resolve_law("gaussian"), "float32", method)
        cell = machine.params(2024, job.depth, job.width, job.sigma_w)
        return _on_threads(lambda first: machine.block(cell, first, chunk)[0][3, :, 0], chunk, threads)

    return make


def draw(method: str) -> Callable[[Job, int, int], Step]:
    """Steps that only draw: what gradsim would take if everything else were free."""
    kernel = {"explicit": weights_only, "conditional": normals_only}[method]

    def make(job: Job, chunk: int, threads: int) -> Step:
        machine = Simulator(resolve_activation("tanh"), resolve_law("gaussian"), "float32", method)
        cell = machine.params(2024, job.depth, job.width, job.sigma_w)
        work = [machine.schedule(cell).allocate(cell, machine.dtype, machine.law) for _ in range(threads)]
        run, scale = jit.compile_kernel(kernel), np.float32(job.scale)

        def block(first: int) -> np.ndarray:
            run(cell, first, chunk, scale, work[first // chunk % threads])
            return np.full(chunk, np.nan)

        return _on_threads(block, chunk, threads)

    return make


def _on_threads(block: Callable[[int], np.ndarray], chunk: int, threads: int) -> Step:
    pool, counter = ThreadPoolExecutor(threads), itertools.count()

    def step() -> np.ndarray:
        first = next(counter) * chunk * threads
        return np.concatenate(list(pool.map(block, range(first, first + chunk * threads, chunk))))

    return step


OWN: dict[str, Callable[[Job, int, int], Step]] = {
    "gradsim explicit": simulate("explicit"),
    "gradsim conditional": simulate("conditional"),
    "weights only": draw("explicit"),
    "normals only": draw("conditional"),
}
