"""Every leaf as a kernel for GPUs and as one for this processor, and the inputs on which both must agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradsim_core import elementary, jit, lanes
from gradsim_core.activations import ACTIVATIONS

DTYPES = {32: np.float32, 64: np.float64}
UNARY = (
    "cos", "erf", "erfcx", "exp", "expm1", "log", "log1p", "log_logistic", "logistic", "mills_ratio", "normal_tail",
    "sin", "tanh", "tanh_derivative",
)  # fmt: skip


class Leaf(NamedTuple):
    name: str
    bits: int
    function: Callable[..., Any]
    alpha: float | None


def leaves() -> list[Leaf]:
    found = [Leaf(name, bits, getattr(elementary, name), None) for bits in DTYPES for name in UNARY]
    for row in ACTIVATIONS.values():
        for bits in DTYPES:
            for what in ("phi", "dphi", "log_phi", "log_dphi"):
                function = getattr(row, what)
                if function and (bits == 64 or not what.startswith("log")):
                    found.append(Leaf(f"{row.name}-{what}", bits, function, row.alpha))
    return found


def on_gpu(leaf: Leaf) -> tuple[Any, tuple[Any, ...]]:
    """The kernel, and the types of its arguments: each thread computes one number."""
    from numba import types

    from gradsim_core.cuda.kernels.threads import slot_of_thread

    function, load, store, lanes_of_a_vector = leaf.function, lanes.load, lanes.store, lanes.LANES
    array = {32: types.float32, 64: types.float64}[leaf.bits][::1]

    def unary(x, out):
        first = slot_of_thread() * lanes_of_a_vector
        store(out, first, function(load(x, first)))

    def with_alpha(x, out, alpha):
        first = slot_of_thread() * lanes_of_a_vector
        store(out, first, function(load(x, first), alpha))

    return (unary, (array, array)) if leaf.alpha is None else (with_alpha, (array, array, types.float64))


def on_cpu(leaf: Leaf, x: np.ndarray) -> np.ndarray:
    function, load, store = leaf.function, lanes.load, lanes.store

    def unary(x, out):
        for i in range(0, len(x), 16):
            store(out, i, function(load(x, i)))

    def with_alpha(x, out, alpha):
        for i in range(0, len(x), 16):
            store(out, i, function(load(x, i), alpha))

    out = np.zeros_like(x)
    arguments = (x, out) if leaf.alpha is None else (x, out, leaf.alpha)
    jit.compile_kernel(unary if leaf.alpha is None else with_alpha, disk_cache=False)(*arguments)
    return out


def inputs(bits: int, count: int, seed: int = 1) -> np.ndarray:
    """Random bit patterns, normals of all sizes that occur, subnormals, and the special numbers."""
    rng, dtype = np.random.default_rng(seed), DTYPES[bits]
    fifth = count // 4
    patterns = rng.integers(0, 2**bits, fifth, np.uint64).astype(f"u{bits // 8}").view(dtype)
    usual = rng.normal(size=fifth) * 10.0 ** rng.uniform(-3, 3, fifth)
    small = rng.integers(0, 2 ** (22 if bits == 32 else 51), fifth, np.uint64).astype(f"u{bits // 8}").view(dtype)
    grid = np.linspace(-20, 20, count - 3 * fifth - 8)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, np.finfo(dtype).max]
    special = np.array(special, dtype)
    with np.errstate(all="ignore"):
        return np.concatenate([part.astype(dtype, copy=False) for part in (patterns, usual, small, grid, special)])
