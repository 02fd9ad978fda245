"""What all trainers share: the kernels of an activation and a cost, aligned arrays, and work that a thread keeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.lanes import aligned

from .costs import COSTS, Cost
from .passes import build_comparison

_thread = threading.local()


@cache
def _pass(build: Callable, activation: Activation, cost: Cost, interpret: bool) -> Any:
    """The pass forward and backward through a batch: the last of the functions that `build` makes."""
    compare = build_comparison(cost.error, cost.normalised)
    functions = build(activation.phi, activation.dphi, compare)
    if not interpret:
        for function in (compare, *functions):
            jit.make_closure_compilable(function, activation.name, cost.name)
    return functions[-1]


@cache
def _kernel(build_kernel: Callable, build: Callable, activation: Activation, cost: Cost, interpret: bool) -> Any:
    body = build_kernel(_pass(build, activation, cost, interpret))
    return body if interpret else jit.compile_kernel(body)


class CompiledTrainer:
    """Base of the trainers, which set `network` to the numbers of theirs.

    Parameters
    ----------
    build : callable
        Makes the functions of one pass through a batch from phi, dphi and the comparison of outputs with targets.
    activation, cost : Activation, Cost
        Rows of the tables; an activation's parameter is a number of the network.
    dtype : {"float32", "float64"}
    interpret : bool
        Run the same text in the Python interpreter: slow, for tests.
    """

    network: Any

    def __init__(self, build: Callable, activation: Activation, cost: Cost, dtype: str, interpret: bool):
        self.dtype = np.dtype(dtype)
        family = ACTIVATIONS[activation.name.split("(")[0]]
        self._kernel_key = build, family, COSTS[cost.name], interpret

    def _aligned(self, content: np.ndarray | int) -> np.ndarray:
        """A flat aligned array in the precision of the run: a copy of an array, or that many zeros."""
        if isinstance(content, int):
            return aligned(content, self.dtype)
        flat = aligned(content.size, self.dtype)
        flat[:] = content.ravel()
        return flat

    def _work(self, allocate: Callable, *shape: Any) -> Any:
        """The arrays ``allocate(network, *sizes, dtype)`` of this thread, kept for its next call with the same shape.

        `shape` is a hashable description of the network, followed by the sizes.
        """
        key = allocate, *shape, self.dtype
        if getattr(_thread, "key", None) != key:
            _thread.work, _thread.key = allocate(self.network, *shape[1:], self.dtype), key
        return _thread.work

    def _run(self, build_kernel: Callable, *arguments: Any) -> Any:
        """Call the kernel that `build_kernel` makes of the pass; overflow is data, not a warning."""
        with np.errstate(all="ignore"):
            return _kernel(build_kernel, *self._kernel_key)(*arguments)
