"""phi and phi' of all numbers of an array: NumPy takes some thirty passes over memory for that, a kernel one."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation, own
from gradsim_core.caching.digest import Digest
from gradsim_core.lanes import LANES, aligned, load, store


def build(phi, dphi):
    """The kernel that writes x = phi(h) and slope = phi'(h); sizes are those of `h`, 16 at least.

    The last vector ends at the last number; those that it shares with the one before get the same bits twice.
    """

    def activate(h, alpha, x, slope):
        last = len(h) - LANES
        for k in range(0, len(h), LANES):
            start = min(k, last)
            value = load(h, start)
            store(x, start, phi(value, alpha))
            store(slope, start, dphi(value, alpha))

    return activate


@jit.once
def _kernel(activation: Activation, digest: Digest | None) -> Any:
    """Compile the kernel of a family; that of a user's own pair for one digest of it, and in memory only.

    A kernel contains the values that a user's functions see while they are compiled: see `simulator`.
    """
    if digest is None:
        body = build(activation.phi, activation.dphi)
        body.__qualname__ += f"_{activation.name}"
        return jit.compile_kernel(body, identity=activation.name)
    for dispatcher in digest.dispatchers:
        if dispatcher.overloads:
            dispatcher.recompile()
    functions = {"phi": activation.phi, "dphi": activation.dphi}
    phi, dphi = (own.by_lane(function, f"{name}_{digest.text}") for name, function in functions.items())
    body = build(phi, dphi)
    body.__qualname__ += f"_{digest.text}"
    return jit.compile_kernel(body, disk_cache=False)


def activate(activation: Activation, h: np.ndarray, *, interpret: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return phi(h) and phi'(h).

    Parameters
    ----------
    activation : Activation
        From `resolve_activation`.
    h : float array
        Contiguous, of any shape.
    interpret : bool
        Run in the Python interpreter: slow, for tests.

    Returns
    -------
    tuple of two arrays
        In the shape and precision of `h`.
    """
    size = max(h.size, LANES)
    flat = h.reshape(-1)
    if h.size < LANES:
        flat = aligned(LANES, h.dtype)
        flat[: h.size] = h.reshape(-1)
    x, slope = (aligned(size, h.dtype) for _ in range(2))
    if interpret:
        pair = activation.phi, activation.dphi
        run = build(*pair) if activation.built_in else build(*(own.by_lane(function, None) for function in pair))
    else:
        family = ACTIVATIONS[activation.name.split("(")[0]] if activation.built_in else activation
        run = _kernel(family, None if activation.built_in else activation.digest)
    with np.errstate(all="ignore"):
        run(flat, h.dtype.type(activation.alpha) * 1.0, x, slope)
    return x[: h.size].reshape(h.shape), slope[: h.size].reshape(h.shape)
