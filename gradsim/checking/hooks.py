"""Hooks that measure one network: outputs of its modules, gradients at them, and sums of two tensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

Tensor = Any
Pair = tuple[float, float]  # of the output and of the gradient at it


class Sum(NamedTuple):
    """A sum of two tensors of the same shape.

    Attributes
    ----------
    left, right, result
        Operations that made the summands, and the sum itself: nodes of PyTorch's graph.
    shape
        Size of the last dimension and number of dimensions, which a stream keeps.
    squares
        ln mean square of left, right and result.
    gradient
        ln mean square of the gradient at the result, in a list that the backward pass fills.
    """

    left: Any
    right: Any
    result: Any
    shape: tuple[int, int]
    squares: tuple[float, float, float]
    gradient: list[float]


class Call(NamedTuple):
    """One call of a module: the nodes that made its input and its output, and the sizes of their last dimensions."""

    module: str
    input: Any
    output: Any
    inputs: int
    outputs: int


class Record:
    """What hooks have seen of one network.

    Attributes
    ----------
    outputs, gradients
        For each module the ln mean square of its output and of the gradient at it, an entry per call. ln is taken for
        each sample (index of the first dimension) and averaged, as gradsim does over networks of one input each.
    norms
        For each module ln |gradient|_2 of a sample, averaged likewise.
    sums, calls
        In the order of the forward pass.
    """

    def __init__(self) -> None:
        self.outputs: dict[str, list[float]] = defaultdict(list)
        self.gradients: dict[str, list[float]] = defaultdict(list)
        self.norms: dict[str, list[float]] = defaultdict(list)
        self.sums: list[Sum] = []
        self.calls: list[Call] = []


def log_square(values: Tensor) -> tuple[float, float]:
    """Return ln mean square of a tensor, averaged over its samples, and how many numbers a sample has.

    Samples that are exactly zero are left out; -inf if all are, NaN if any number is not finite.
    """
    rows = values.detach().reshape(len(values) if values.ndim > 1 else 1, -1)
    squares = rows.double().square().mean(1).cpu().numpy()
    if not np.isfinite(squares).all():
        return float("nan"), rows.shape[1]
    live = squares > 0.0
    return (float(np.log(squares[live]).mean()) if live.any() else float("-inf")), rows.shape[1]


def first_tensor(value: Any) -> Tensor | None:
    """Return the first tensor of floating-point numbers in nested tuples, lists and dictionaries; None without one."""
    return next(tensors(value), None)


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of floating-point numbers in nested tuples, lists and dictionaries."""
    import torch

    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield value
        return
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from tensors(part)


def node_of(tensor: Tensor | None) -> Any:
    """Return the operation that made a tensor; None for one without gradient."""
    from torch.autograd.graph import get_gradient_edge

    return None if tensor is None or not tensor.requires_grad else get_gradient_edge(tensor).node


@contextmanager
def recording(model: Any) -> Iterator[Record]:
    """Record what the modules of a model compute while the context is open; all hooks are removed at its end."""
    record = Record()
    handles = [module.register_forward_hook(_hook(record, name)) for name, module in model.named_modules()]
    try:
        with _sum_mode(record):
            yield record
    finally:
        for handle in handles:
            handle.remove()


def _hook(record: Record, name: str) -> Any:
    def seen(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        del module
        result = first_tensor(output)
        if result is None or result.ndim == 0:
            return
        record.outputs[name].append(log_square(result)[0])
        given = first_tensor(inputs)
        sizes = (given.shape[-1] if given is not None and given.ndim else 0, result.shape[-1])
        record.calls.append(Call(name, node_of(given), node_of(result), *sizes))
        if result.requires_grad:
            # Not the record: its nodes keep their hooks, and no garbage collection sees such a circle.
            gradients, norms = record.gradients, record.norms
            result.register_hook(lambda gradient: _note(gradients, norms, name, gradient))

    return seen


def _note(gradients: dict[str, list[float]], norms: dict[str, list[float]], name: str, gradient: Tensor | None) -> None:
    if gradient is None:  # another output of the same operation has one
        return
    square, count = log_square(gradient)
    gradients[name].append(square)
    norms[name].append(0.5 * (square + np.log(count)))


def _sum_mode(record: Record) -> Any:
    """Return a context in which sums of two tensors are recorded."""
    import torch
    from torch.overrides import TorchFunctionMode

    kind = torch.Tensor
    sums = {torch.add, kind.add, kind.add_, kind.__add__, kind.__radd__, kind.__iadd__}

    class Sums(TorchFunctionMode):  # type: ignore[misc]  # torch is optional
        def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            del types
            if function not in sums or not _are_summands(arguments):
                return function(*arguments, **(options or {}))
            left, right = arguments[:2]
            times = abs(float((options or {}).get("alpha", 1.0)))
            of_times = 2.0 * np.log(times) if times else -np.inf
            nodes, squares = (node_of(left), node_of(right)), (log_square(left)[0], log_square(right)[0] + of_times)
            result = function(*arguments, **(options or {}))
            gradient: list[float] = []
            result.register_hook(lambda found: None if found is None else gradient.append(log_square(found)[0]))
            shape = (result.shape[-1], result.ndim)
            record.sums.append(Sum(*nodes, node_of(result), shape, (*squares, log_square(result)[0]), gradient))
            return result

    return Sums()


def _are_summands(values: Any) -> bool:
    """Whether the first two are tensors of one shape, from 2 dimensions, of whose sum a gradient is kept."""
    import torch

    left, right = values[:2] if len(values) > 1 else (None, None)
    if not (torch.is_grad_enabled() and isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor)):
        return False
    return bool(left.shape == right.shape and left.ndim >= 2 and left.requires_grad and right.requires_grad)
