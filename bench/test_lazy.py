"""Lazy matrices beside explicit ones in PyTorch, one thread: those of a transformer block alone, and whole blocks."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import resolve_law
from gradsim_core.lazy import untied
from gradsim_core.linear.rows import rows_of
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source
from gradsim_core.simulator import Simulator

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


HEAD = 64


def whole_block(width: int, tokens: int):
    """A function that runs a pre-norm block of causal attention and gelu, forward and backward."""
    network = Network("transformer", tokens, normalisation="layer", heads=max(width // HEAD, 1))
    law, activation = resolve_law("gaussian"), resolve_activation("gelu")
    simulator = Simulator(activation, law, "float32", "conditional", network=network)
    cell = simulator.params(1, 1, width, 1.0)
    return lambda: simulator.block(cell, 0, 1)


def whole_block_in_pytorch(torch, width: int, tokens: int):
    """The same with drawn weights and autograd; the norms of the weight gradients are read from them."""
    generator, f = torch.Generator().manual_seed(1), torch.nn.functional

    def draw(*shape):
        return torch.randn(*shape, generator=generator).mul_(shape[-1] ** -0.5).requires_grad_(True)

    def run() -> None:
        weights = [draw(m * width, n * width) for n, m in SHAPES]
        x = torch.randn(tokens, width, generator=generator, requires_grad=True)
        parts = f.layer_norm(x, (width,)) @ weights[0].T
        q, k, v = (each.reshape(tokens, -1, HEAD).transpose(0, 1) for each in parts.chunk(3, 1))
        mixed = f.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).reshape(tokens, width)
        y = x + mixed @ weights[1].T
        y = y + f.gelu(f.layer_norm(y, (width,)) @ weights[2].T) @ weights[3].T
        y = f.layer_norm(y, (width,))
        (y * torch.randn(tokens, width, generator=generator)).sum().backward()
        [weight.grad.square().sum() for weight in weights]

    return run


@pytest.mark.parametrize(("lazily", "explicitly"), [(block_of, explicit_of), (whole_block, whole_block_in_pytorch)])
@pytest.mark.parametrize(("width", "tokens"), [(256, 8), (1024, 64), (4096, 64)])
def test_transformer_block(benchmark, width, tokens, lazily, explicitly):
    """Seconds of its matrices, and of all of it; extra_info has the ratio to PyTorch, in turn with it."""
    torch = pytest.importorskip("torch")
    if benchmark.disabled and width > 256:
        pytest.skip("the smallest shows that it works")
    width = 64 if benchmark.disabled else width
    lazy, explicit = lazily(width, tokens), explicitly(torch, width, tokens)
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
