"""What computes what in a model: walks through the graph that PyTorch keeps for its backward pass.

A node is an operation; ``next_functions`` are the operations that made its inputs. Names of modules play no part, so
functional calls (``F.relu``, ``x + y``) are seen as modules are.
"""

from __future__ import annotations

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
_LEAF = "AccumulateGrad"


def _elu(node: Node) -> str:
    """Return elu or selu: PyTorch has one operation for both."""
    return "selu" if abs(node._saved_scale - 1.0507009873554805) < 1e-6 else f"elu({node._saved_alpha:g})"


def _hard_tanh(node: Node) -> str | None:
    ends = (node._saved_min_val, node._saved_max_val)
    return {(-1.0, 1.0): "hard_tanh", (0.0, 6.0): "relu6"}.get(ends)


def _gelu(node: Node) -> str:
    return "gelu" if node._saved_approximate == "none" else "gelu_tanh"


ACTIVATIONS: dict[str, Callable[[Node], str | None]] = {
    "AbsBackward0": lambda node: "abs",
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

    def writer(self, node: Node) -> Writer:
        """Return who writes the result of an operation."""
        *moves, last = self.walk(node)
        scaled = any(self.parameter(parent) for move in moves for parent in self.parents(move))
        if last.name() in ACTIVATIONS:
            inner = self.writer(self.parents(last)[0])
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
