"""What both trainers share: one kernel per activation and cost, aligned arrays, and arrays that a thread keeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.lanes import aligned

from .costs import COSTS, Cost
from .passes import build_comparison

_thread = threading.local()


@jit.once
def _pass(build: Callable, activation: Activation, cost: Cost, interpret: bool) -> Any:
    """The forward and backward pass through a batch: the last of the functions that `build` returns."""
    compare = build_comparison(cost.error, cost.normalised)
    functions = build(activation.phi, activation.dphi, compare)
    if not interpret:
        for function in (compare, *functions):
            jit.make_closure_compilable(function, activation.name, cost.name)
    return functions[-1]


@jit.once
def _kernel(build_kernel: Callable, build: Callable, activation: Activation, cost: Cost, interpret: bool) -> Any:
    """The kernel that `build_kernel` makes from the pass, compiled once per activation and cost."""
    body = build_kernel(_pass(build, activation, cost, interpret))
    return body if interpret else jit.compile_kernel(body)


class CompiledTrainer:
    """Base class of the trainers. A subclass sets `network`, the NamedTuple that describes its network to kernels.

    Parameters
    ----------
    build : callable
        (phi, dphi, compare) -> the functions of one pass through a batch; `compare` is made by `build_comparison`.
    activation, cost : Activation, Cost
        Rows of the tables. The parameter of the activation is a field of `network`, so that a family compiles once.
    dtype : {"float32", "float64"}
        Precision of parameters, data and activations.
    interpret : bool
        Run the kernels in the Python interpreter instead of compiling them: slow, for tests.
    """

    network: Any

    def __init__(self, build: Callable, activation: Activation, cost: Cost, dtype: str, interpret: bool):
        self.dtype = np.dtype(dtype)
        family = ACTIVATIONS[activation.name.split("(")[0]]
        self._kernel_key = build, family, COSTS[cost.name], interpret

    def _aligned(self, content: np.ndarray | int) -> np.ndarray:
        """A flat, aligned array in the precision of the run: a copy of `content`, or that many zeros."""
        if isinstance(content, int):
            return aligned(content, self.dtype)
        flat = aligned(content.size, self.dtype)
        flat[:] = content.ravel()
        return flat

    def _work(self, allocate: Callable, *shape: Any) -> Any:
        """This thread's arrays, ``allocate(network, *sizes, dtype)``, reused by its next call with the same shape.

        `shape` is a hashable description of the network, followed by the sizes.
        """
        key = allocate, *shape, self.dtype
        if getattr(_thread, "key", None) != key:
            _thread.work, _thread.key = allocate(self.network, *shape[1:], self.dtype), key
        return _thread.work

    def _run(self, build_kernel: Callable, *arguments: Any) -> Any:
        """Call the kernel that `build_kernel` makes from the pass. Overflow is data, so NumPy does not warn."""
        with np.errstate(all="ignore"):
            return _kernel(build_kernel, *self._kernel_key)(*arguments)
