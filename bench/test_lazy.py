"""Lazy matrices beside explicit ones in PyTorch, one thread: those of a transformer block, forward and backward."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.lazy import untied
from gradsim_core.linear.rows import rows_of
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source

ROUNDS = 5
SHAPES = ((1, 3), (1, 1), (1, 4), (4, 1))
"""Numbers before and after, in units of the width: query, key and value; output; up; down."""


def block_of(width: int, tokens: int):
    """A function that runs the matrices of a block once, lazily; errors are those of unit vectors."""
    cell, rng = Params(np.uint64(1), 1, 1, 1.0, 0.0), np.random.default_rng(1)
    forward, backward = (jit.compiled(function) for function in (untied.forward, untied.backward))
    shapes = [untied.shape_of(tokens, n * width, m * width) for n, m in SHAPES]
    kind = np.dtype(np.float32)
    work = untied.work_of(untied.shape_of(tokens, 4 * width, 4 * width), kind)
    seen = [untied.seen_of(shape, kind) for shape in shapes]
    rows = [[rows_of(tokens, n, kind) for n in (s.width_in, s.width_in, s.width_out, s.width_out)] for s in shapes]
    for x, _, _, d in rows:
        x.array[:], d.array[:] = rng.standard_normal(x.array.size), rng.standard_normal(d.array.size)

    def run() -> None:
        for number, shape in enumerate(shapes):
            x, y, h, d = rows[number]
            source, deviation = Source(cell, 0, number + 1, 0), shape.n_in**-0.5
            forward(source, shape, deviation, x, h, seen[number], work)
            backward(source, shape, deviation, d, y, seen[number], work)

    return run


def explicit_of(torch, width: int, tokens: int):
    """The same with weights that PyTorch draws, and the norm of each weight gradient by its Gram matrices."""
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    rows = [(draw(tokens, n * width), draw(tokens, m * width)) for n, m in SHAPES]

    def run() -> None:
        for x, d in rows:
            weights = draw(d.shape[1], x.shape[1]).mul_(x.shape[1] ** -0.5)
            x @ weights.T, d @ weights, ((x @ x.T) * (d @ d.T)).sum()

    return run


@pytest.mark.parametrize(("width", "tokens"), [(256, 8), (1024, 64), (4096, 64)])
def test_transformer_block(benchmark, width, tokens):
    """Seconds of the four matrices; extra_info has the ratio to PyTorch, in turn with it."""
    torch = pytest.importorskip("torch")
    width = 64 if benchmark.disabled else width
    lazy, explicit = block_of(width, tokens), explicit_of(torch, width, tokens)
    lazy()
    if not benchmark.disabled:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        ratios = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            explicit()
            middle = time.perf_counter()
            lazy()
            ratios.append((middle - start) / (time.perf_counter() - middle))
        torch.set_num_threads(threads)
        benchmark.extra_info["pytorch_over_lazy"] = sorted(ratios)[ROUNDS // 2]
    benchmark(lazy)
