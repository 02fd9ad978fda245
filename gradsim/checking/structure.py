"""How a model is built, read from one forward pass: residual streams, chains of layers, tied matrices."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from gradsim.checking.graph import Graph, activation_name, argument, is_activation
from gradsim.checking.hooks import Record, Sum

_LOOKUP = "EmbeddingBackward0"


class Branch(NamedTuple):
    """A residual sum: what a branch computes from the stream is added to the stream.

    Attributes
    ----------
    number
        Which of the recorded sums, from 0.
    is_left
        Whether the left summand is the branch.
    writer
        Name of the matrix whose product is added; None where something else comes last, such as a normalisation.
    scaled
        Whether the branch is multiplied by a parameter (LayerScale, ReZero).
    normalised
        Whether the stream was normalised since the residual sum before (post-norm).
    inside
        Names of the parameters with which the branch is computed from the stream.
    """

    number: int
    is_left: bool
    writer: str | None
    scaled: bool
    normalised: bool
    inside: frozenset[str]


@dataclass(frozen=True)
class Stream:
    """Residual sums of one width, in order, and the tables of embeddings that the stream begins with."""

    branches: tuple[Branch, ...]
    tables: tuple[str, ...]

    @property
    def writers(self) -> list[str]:
        """Names of the matrices whose products are added to the stream."""
        return [branch.writer for branch in self.branches if branch.writer is not None]

    @property
    def inside(self) -> set[str]:
        """Names of the parameters of single branches: not those that several share, as an encoder's output."""
        counts = Counter(name for branch in self.branches for name in branch.inside)
        return {name for name, count in counts.items() if count == 1}

    @property
    def normalised(self) -> bool:
        """Whether it is normalised after its sums (post-norm)."""
        later = self.branches[1:]
        return 2 * sum(branch.normalised for branch in later) > len(later)


@dataclass(frozen=True)
class Chain:
    """Linear modules each of which gets the activation of the one before; one activation, or "linear", for all."""

    modules: tuple[str, ...]
    activation: str


@dataclass(frozen=True)
class Structure:
    """What one forward pass shows.

    Attributes
    ----------
    streams, chains
        Residual streams; chains of at least two layers.
    tied
        Matrices that are a table of embeddings and also make the output.
    inputs
        Size of the last dimension of each module's input, by its name; 0 without a tensor.
    varies
        Whether networks of the same model have different structures, as with layers that are skipped at random.
    multiplied
        Names of the matrices and kernels that tensors are multiplied by.
    """

    streams: list[Stream] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    tied: tuple[str, ...] = ()
    inputs: dict[str, int] = field(default_factory=dict)
    varies: bool = False
    multiplied: frozenset[str] = frozenset()

    def differs(self, other: Structure) -> bool:
        """Return whether streams, chains or tied matrices differ from those of another network."""
        return (self.streams, self.chains, self.tied) != (other.streams, other.chains, other.tied)

    def without_order(self) -> Structure:
        """Return what remains where networks differ."""
        return replace(self, streams=[], chains=[], tied=(), varies=True)


def read(record: Record, outputs: list[Any], parameters: dict[int, str], linear: frozenset[str]) -> Structure:
    """Return the structure of a network.

    Parameters
    ----------
    record
        What hooks have seen.
    outputs
        The operations that made its outputs.
    parameters
        Names of its parameters by the identity of the tensor.
    linear
        Names of its ``torch.nn.Linear`` modules.
    """
    graph = Graph(parameters)
    steps = {*outputs, *graph.behind(outputs)}
    tables = {
        name
        for step in steps
        if step.name() == _LOOKUP
        for parent in graph.parents(step)
        if (name := graph.parameter(parent))
    }
    last = {graph.matrix(graph.source(output)) for output in outputs}
    return Structure(
        _streams(graph, record.sums),
        _chains(graph, record, linear, outputs),
        tuple(sorted(tables & last)),
        {call.module: call.inputs for call in record.calls},
        multiplied=frozenset(name for step in steps for name in graph.multipliers(step)),
    )


def _streams(graph: Graph, sums: list[Sum]) -> list[Stream]:
    """Group residual sums by the shape of the stream."""
    found: dict[tuple[int, int], list[Branch]] = defaultdict(list)
    for index, one in enumerate(sums):
        before = [sums[branch.number].result for branch in found[one.shape][-1:]]
        branch = _branch(graph, index, one, before)
        if branch is not None:
            found[one.shape].append(branch)
    return [
        Stream(tuple(branches), _entry_tables(graph, sums[branches[0].number], branches[0]))
        for branches in found.values()
        if branches
    ]


def _branch(graph: Graph, index: int, one: Sum, before: list[Any]) -> Branch | None:
    """The sum as a residual one: one summand is computed, with parameters, from what the other consists of."""
    for is_left, branch, skip in ((False, one.right, one.left), (True, one.left, one.right)):
        writer = graph.writer(branch)
        parts = graph.summands(skip)
        if branch in parts:
            continue
        origins = graph.ancestors(branch, parts)
        inside = frozenset(name for step in origins - parts if (name := graph.parameter(step)))
        if origins & parts and inside:
            # An activation behind the sum, as in ResNets, does not normalise.
            reached = {step for part in parts for step in _through_activation(graph, part)}
            normalised = bool(before) and not reached & set(before)
            return Branch(index, is_left, writer.parameter, writer.scaled, normalised, inside)
    return None


def _through_activation(graph: Graph, step: Any) -> list[Any]:
    if is_activation(step):
        return [step, *graph.walk(argument(step))]
    return [step]


def _entry_tables(graph: Graph, one: Sum, branch: Branch) -> tuple[str, ...]:
    """The tables of embeddings among the summands of the stream's begin."""
    skip = one.right if branch.is_left else one.left
    leaves = (parent for step in graph.summands(skip) if step.name() == _LOOKUP for parent in graph.parents(step))
    return tuple(sorted({name for leaf in leaves if (name := graph.parameter(leaf))}))


def _chains(graph: Graph, record: Record, linear: frozenset[str], outputs: list[Any]) -> list[Chain]:
    """Follow each linear module to the next one, or to an output, through one activation."""
    made = {call.output: call.module for call in reversed(record.calls) if call.module in linear}
    links: dict[str, tuple[str, str]] = {}
    uses = [(call.input, call.module) for call in record.calls if call.module in linear and call.input is not None]
    for used, user in [*uses, *((output, "") for output in outputs)]:
        step = graph.source(used)
        acts = is_activation(step)
        name = activation_name(step) if acts else "linear"
        before = argument(step) if acts else used
        origin = next((made[node] for node in graph.walk(before) if node in made), None)
        if origin is not None and origin != user and name is not None:
            links[origin] = (user, name)
    return _joined(links)


def _joined(links: dict[str, tuple[str, str]]) -> list[Chain]:
    """Join links from module to module into chains with one activation each."""
    chains, seconds = [], {second for second, _ in links.values()}
    for first, (_, activation) in links.items():
        if first in seconds and any(links[one] == (first, activation) for one in links):
            continue  # in the middle of a chain
        modules, step = [], first
        while step in links and links[step][1] == activation and step not in modules:
            modules.append(step)
            step = links[step][0]
        if len(modules) > 1:
            chains.append(Chain(tuple(modules), activation))
    return chains
