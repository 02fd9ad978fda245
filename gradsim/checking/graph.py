"""What computes what in a model: walks through the graph that PyTorch keeps for its backward pass.

A node is an operation; ``next_functions`` are the operations that made its inputs. Names of modules play no part, so
functional calls (``F.relu``, ``x + y``) are seen as modules are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Node = Any  # torch.autograd.graph.Node

# Operations that move numbers, or multiply all of them by one.
_MOVES = frozenset(
    f"{name}Backward0"
    for name in (
        "View", "UnsafeView", "ReshapeAlias", "Alias", "T", "Transpose", "Permute", "Clone", "ToCopy", "Expand",
        "Unsqueeze", "Squeeze", "Neg", "NativeDropout", "Slice",
    )
)  # fmt: skip
_PRODUCTS = frozenset({"MulBackward0", "DivBackward0"})
_SUMS = frozenset({"AddBackward0"})
_MULTIPLIES = re.compile("mm|mv|conv|linear|rnn", re.IGNORECASE)  # AddmmBackward0, TrilinearBackward0 ...
_LEAF = "AccumulateGrad"


def _elu(node: Node) -> str:
    """Return elu or selu: PyTorch has one operation for both."""
    return "selu" if abs(node._saved_scale - 1.0507009873554805) < 1e-6 else f"elu({node._saved_alpha:g})"


def _hard_tanh(node: Node) -> str | None:
    ends = (node._saved_min_val, node._saved_max_val)
    return {(-1.0, 1.0): "hard_tanh", (0.0, 6.0): "relu6"}.get(ends)


def _gelu(node: Node) -> str:
    return "gelu" if node._saved_approximate == "none" else "gelu_tanh"


def _clamped(node: Node) -> str | None:
    return {(0.0, None): "relu", (-1.0, 1.0): "hard_tanh", (0.0, 6.0): "relu6"}.get((node._saved_min, node._saved_max))


def _learned_slope(node: Node) -> str | None:
    """Return leaky_relu with the slope that PReLU begins with; None where slopes differ."""
    argument, leaf = node.next_functions[0][0], node.next_functions[1][0]
    while leaf is not None and not leaf.name().endswith(_LEAF):
        leaf = leaf.next_functions[0][0]
    if argument is None or leaf is None:
        return None
    slopes = set(leaf.variable.detach().flatten().tolist())
    return f"leaky_relu({slopes.pop():g})" if len(slopes) == 1 else None


def _soft_sign(node: Node) -> str | None:
    """Return the name for h / (1 + |h|), for which PyTorch has no operation; None for another quotient.

    The graph does not keep the number that is added to |h|.
    """
    over, under = node.next_functions[0], node.next_functions[1][0]
    if under is None or under.name() not in _SUMS:
        return None
    summands = [edge[0] for edge in under.next_functions if edge[0] is not None]
    if len(summands) != 1 or summands[0].name() != "AbsBackward0":
        return None
    return "softsign" if summands[0].next_functions[0] == over else None


def _relu_squared(node: Node) -> str | None:
    inner = node.next_functions[0][0]
    return "relu2" if node._saved_exponent == 2 and inner is not None and inner.name() == "ReluBackward0" else None


def _gate(node: Node) -> str | None:
    """Return silu for h times sigmoid(h)."""
    return None if _gated(node) is None else "silu"


def _gated(node: Node) -> Node | None:
    """Return h in h times sigmoid(h), in whatever order; None in other products."""
    for place in (0, 1):
        gate, other = node.next_functions[place][0], node.next_functions[1 - place]
        if gate is not None and gate.name() == "SigmoidBackward0" and gate.next_functions[0] == other:
            return other[0]
    return None


ACTIVATIONS: dict[str, Callable[[Node], str | None]] = {
    "AbsBackward0": lambda node: "abs",
    "CeluBackward0": lambda node: f"celu({node._saved_alpha:g})",
    "EluBackward0": _elu,
    "ErfBackward0": lambda node: "erf",
    "GeluBackward0": _gelu,
    "HardsigmoidBackward0": lambda node: "hard_sigmoid",
    "HardswishBackward0": lambda node: "hard_swish",
    "HardtanhBackward0": _hard_tanh,
    "LeakyReluBackward0": lambda node: f"leaky_relu({node._saved_negative_slope:g})",
    "MishBackward0": lambda node: "mish",
    "ReluBackward0": lambda node: "relu",
    "SigmoidBackward0": lambda node: "sigmoid",
    "SiluBackward0": lambda node: "silu",
    "SinBackward0": lambda node: "sin",
    "SoftplusBackward0": lambda node: "softplus" if node._saved_beta == 1 else None,
    "TanhBackward0": lambda node: "tanh",
}
"""The name in gradsim's table of the activation that an operation computes; None where the table has none."""

_SOMETIMES: dict[str, Callable[[Node], str | None]] = {
    "ClampBackward1": _clamped,
    "DivBackward0": _soft_sign,
    "MulBackward0": _gate,
    "PowBackward0": _relu_squared,
    "PreluKernelBackward0": _learned_slope,
}
"""The same of operations that also compute other things, for which it is None."""


def is_activation(node: Node) -> bool:
    """Return whether an operation is an activation, one of gradsim's table or not."""
    return node.name() in ACTIVATIONS or (node.name() in _SOMETIMES and activation_name(node) is not None)


def activation_name(node: Node) -> str | None:
    """Return the name in gradsim's table of the activation that an operation computes, None where it has none."""
    named = ACTIVATIONS.get(node.name()) or _SOMETIMES.get(node.name())
    return named(node) if named else None


def argument(node: Node) -> Node:
    """Return the operation that made the argument of an activation."""
    if node.name() == "MulBackward0":
        return _gated(node)
    inner = node.next_functions[0][0]
    return inner.next_functions[0][0] if node.name() == "PowBackward0" else inner


class Writer(NamedTuple):
    """Who writes a tensor.

    Attributes
    ----------
    parameter
        Name of the matrix in the last product, perhaps before an activation; None where something else comes last, such
        as a normalisation.
    scaled
        Whether the result is multiplied by a parameter (LayerScale, ReZero).
    """

    parameter: str | None
    scaled: bool


class Graph:
    """The operations that lead to an output.

    Parameters
    ----------
    parameters
        Names of the parameters by the identity of the tensor.
    """

    def __init__(self, parameters: dict[int, str]) -> None:
        self._parameters = parameters

    @staticmethod
    def parents(node: Node) -> list[Node]:
        """Return the operations that made the inputs of an operation."""
        return [parent for parent, _ in node.next_functions if parent is not None]

    def parameter(self, node: Node) -> str | None:
        """Return the name of the parameter that a leaf holds; None for anything else."""
        if not node.name().endswith(_LEAF):
            return None
        return self._parameters.get(id(node.variable))

    def before(self, node: Node) -> Node | None:
        """Return the operation whose result this one only moves or multiplies by a number; None for any other."""
        if node.name() in _MOVES:
            return next(iter(self.parents(node)), None)
        if node.name() in _PRODUCTS:
            carried = [parent for parent in self.parents(node) if self.parameter(parent) is None]
            return carried[0] if len(carried) == 1 else None
        return None

    def walk(self, node: Node) -> Iterator[Node]:
        """Yield an operation and those before it, as long as they only move numbers."""
        found: Node | None = node
        while found is not None:
            yield found
            found = self.before(found)

    def source(self, node: Node) -> Node:
        """Return the operation that computed the numbers."""
        return list(self.walk(node))[-1]

    def origin(self, tensor: Any) -> tuple[Node, int]:
        """Return the operation that computed the numbers of a tensor, and which of its outputs they are."""
        from torch.autograd.graph import get_gradient_edge

        edge = get_gradient_edge(tensor)
        *_, before, source = (None, *self.walk(edge.node))
        if before is None:
            return source, edge.output_nr
        return next((parent, number) for parent, number in before.next_functions if parent is source)

    def matrix(self, node: Node) -> str | None:
        """Return the name of the matrix or kernel that an operation multiplies by; None if there is none."""
        if node.name() in _MOVES | _PRODUCTS | _SUMS or node.name().endswith(_LEAF):
            return None
        for parent in self.parents(node):
            leaf = self.source(parent)
            name = self.parameter(leaf)
            if name is not None and leaf.variable.ndim >= 2:
                return name
        return None

    def multipliers(self, node: Node) -> list[str]:
        """Return the names of the matrices and kernels that an operation multiplies or convolves by."""
        if not _MULTIPLIES.search(node.name()):
            return []
        leaves = [self.source(parent) for parent in self.parents(node)]
        names = [(self.parameter(leaf), leaf) for leaf in leaves]
        return [name for name, leaf in names if name is not None and leaf.variable.ndim >= 2]

    def writer(self, node: Node) -> Writer:
        """Return who writes the result of an operation."""
        *moves, last = self.walk(node)
        scaled = any(self.parameter(parent) for move in moves for parent in self.parents(move))
        if is_activation(last):
            inner = self.writer(argument(last))
            return Writer(inner.parameter, scaled or inner.scaled)
        return Writer(self.matrix(last), scaled)

    def summands(self, node: Node) -> set[Node]:
        """Return all operations that reach this one through sums and moves alone, itself included."""
        found, pending = set[Node](), [node]
        while pending:
            for step in self.walk(pending.pop()):
                if step in found:
                    break
                found.add(step)
                if step.name() in _SUMS:
                    pending += self.parents(step)
        return found

    def ancestors(self, node: Node, stop: set[Node] | None = None) -> set[Node]:
        """Return the operations that a result depends on, without going on behind those of `stop`."""
        found, pending = set[Node](), [node]
        while pending:
            step = pending.pop()
            if step in found:
                continue
            found.add(step)
            if stop is None or step not in stop:
                pending += self.parents(step)
        return found

    def behind(self, nodes: list[Node]) -> set[Node]:
        """Return all operations that some of these depend on."""
        found = set[Node]()
        for parent in (parent for node in nodes for parent in self.parents(node)):
            found |= self.ancestors(parent, found)
        return found
