"""Measures many networks of one model and gathers what hooks, parameters and the graph show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf, log, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from gradsim.checking.blocks import Place, places
from gradsim.checking.draws import check_seeds
from gradsim.checking.dropout import without_dropout
from gradsim.checking.graph import Graph
from gradsim.checking.hooks import Record, log_square, node_of, recording, tensors
from gradsim.checking.models import Networks, call, one_thread, seeded, torch_module, with_gradient
from gradsim.checking.structure import Structure, read
from gradsim.checking.weights import Moments, copies
from gradsim.errors import SweepError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """What is known of a parameter whatever the seed.

    Attributes
    ----------
    module, kind
        The module that holds it, and its class.
    shape
        Of the tensor.
    fan_in, fan_out
        Inputs of an output and outputs of an input; 0 for vectors.
    table
        Whether it is a table of embeddings.
    """

    module: str
    kind: str
    shape: tuple[int, ...]
    fan_in: int
    fan_out: int
    table: bool


@dataclass
class Measurements:
    """Numbers of all networks; arrays have a row per network.

    Attributes
    ----------
    outputs, gradients, norms
        (networks,) by module: ln mean square of the output, of the gradient at it, ln |gradient|_2 of a sample.
    weight_grads
        (networks,) by parameter: ln |dC/dW|_F.
    sums
        (networks, sums, 4): ln mean square of left, right, result, and of the gradient at the result.
    output
        (networks,) ln mean square of the model's output; of the first that has a readout, where there are several.
    moments, parameters, kinds
        By parameter: its moments, its facts; by module: its class.
    structure
        Of all networks, without chains of which a module got no gradient in some network; empty but for ``inputs`` and
        ``varies`` where networks differ.
    module_places, parameter_places
        Where they stand among repeated blocks.
    """

    networks: int
    outputs: dict[str, Array]
    gradients: dict[str, Array]
    norms: dict[str, Array]
    weight_grads: dict[str, Array]
    sums: Array
    output: Array
    moments: dict[str, Moments]
    parameters: dict[str, Parameter]
    kinds: dict[str, str]
    structure: Structure
    copies: dict[str, str] = field(default_factory=dict)
    module_places: dict[str, Place] = field(default_factory=dict)
    parameter_places: dict[str, Place] = field(default_factory=dict)


class _Gatherer:
    """Adds up networks one by one."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.moments: dict[str, Moments] = defaultdict(Moments)
        self.sums: list[list[tuple[float, ...]]] = []
        self.varies = False
        self.first: tuple[Structure, dict[str, Parameter], dict[str, str], dict[str, str]] | None = None

    def add(self, model: Any, batch: Any) -> None:
        """Measure a network."""
        record, outputs = _passed(model, batch)
        structure = _structure(model, record, outputs)
        if self.first is None:
            kinds = {name: type(module).__name__ for name, module in model.named_modules()}
            self.first = (structure, _parameters(model, structure), kinds, copies(model.named_parameters()))
        self.varies |= structure.differs(self.first[0]) or any(len(record.sums) != len(sums) for sums in self.sums[:1])
        for kind, values in (("output", record.outputs), ("gradient", record.gradients), ("norm", record.norms)):
            for name, calls in values.items():
                self.values[kind, name].append(float(np.mean(calls)))
        self.values["result", ""].append(log_square(outputs[0])[0])
        self.sums.append([(*one.squares, (one.gradient or [-inf])[0]) for one in record.sums])
        for name, parameter in model.named_parameters():
            self.moments[name].add(parameter)
            self.values["weight", name].append(_log_norm(parameter.grad))

    def arrays(self, kind: str, networks: int) -> dict[str, Array]:
        """Return what every network has of a kind, by name."""
        found = {name: values for (of, name), values in self.values.items() if of == kind}
        return {name: np.array(values) for name, values in found.items() if len(values) == networks}


def measure(source: Networks, networks: int, seed: int, done: Callable[[float], None]) -> Measurements:
    """Measure networks with the seeds ``seed``, ``seed + 1`` …

    Parameters
    ----------
    source
        Makes them.
    networks, seed
        How many, and the seed of the first.
    done
        Called with the share of the work that each takes.
    """
    torch = torch_module()
    gatherer, size = _Gatherer(), 0
    states: list[Any] = []
    for number in range(networks):
        with seeded(seed + number):
            with one_thread(size):
                model, batch = source()
            states = [*states[-1:], torch.get_rng_state()]
            size = sum(parameter.numel() for parameter in model.parameters())
            with one_thread(size):
                gatherer.add(model, batch)
        if number == 1:
            check_seeds(model, gatherer.moments, states)
            source.check_initialisation()
        done(1.0 / networks)
    source.check_initialisation()
    return _measurements(gatherer, networks)


def _measurements(gatherer: _Gatherer, networks: int) -> Measurements:
    assert gatherer.first is not None
    structure, parameters, kinds, copies = gatherer.first
    if gatherer.varies:  # networks that branch at random: their sums and chains cannot be told apart
        gatherer.sums, structure = [[] for _ in gatherer.sums], structure.without_order()
    found = {kind: gatherer.arrays(kind, networks) for kind in ("output", "gradient", "norm", "weight", "result")}
    seen = found["gradient"].keys() & found["norm"].keys()  # not modules that the readout does not reach
    structure = replace(structure, chains=[chain for chain in structure.chains if seen.issuperset(chain.modules)])
    shapes = {name: f"{one.kind} {' x '.join(map(str, one.shape))}" for name, one in parameters.items()}
    return Measurements(
        networks,
        found["output"],
        found["gradient"],
        found["norm"],
        found["weight"],
        np.array(gatherer.sums, dtype=np.float64).reshape(networks, -1, 4),
        found["result"][""],
        {name: gatherer.moments[name] for name in parameters},
        parameters,
        kinds,
        structure,
        copies,
        places({name: kinds[name] for name in found["output"]}),
        places(shapes),
    )


def _passed(model: Any, batch: Any) -> tuple[Record, list[Any]]:
    """Pass a batch forward, and a random readout of the outputs back: C = v . out, v ~ N(0, 1/n), as in gradsim."""
    torch = torch_module()
    model.train()  # BatchNorm normalises by the batch, as in the first step of training
    for parameter in model.parameters():
        parameter.grad = None  # a factory may return one model again and again
    with torch.enable_grad(), without_dropout(model), recording(model) as record:
        outputs = _ends(call(model, with_gradient(batch)))
        if not outputs:
            allowed = "a model whose output has a gradient"
            raise SweepError("model", type(model).__name__, allowed, "Return a tensor of floating-point numbers")
        parts = [torch.randn_like(one) / sqrt(one.shape[-1] if one.ndim else 1) * one for one in outputs]
        sum(part.sum() for part in parts).backward()
    return record, outputs


def _ends(result: Any) -> list[Any]:
    """The outputs that a random readout goes to: tensors with a gradient from which no other output is computed.

    So the hidden states that a model returns beside its logits are none. Losses, without dimensions, count where there
    is nothing else.
    """
    found = list({id(one): one for one in tensors(result) if one.requires_grad}.values())
    found = [one for one in found if one.ndim] or found
    graph = Graph({})
    origins = [graph.origin(one) for one in found]  # with numbers, since an operation may have several outputs
    sources = {node for node, _ in origins}
    used = {edge for node in sources | graph.behind(list(sources)) for edge in node.next_functions}
    return [one for one, origin in zip(found, origins, strict=True) if origin not in used]


def _structure(model: Any, record: Record, outputs: list[Any]) -> Structure:
    torch = torch_module()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    linear = frozenset(
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and f"{name}.weight" in names.values()  # not one that is computed
    )
    return read(record, [node_of(one) for one in outputs], names, linear)


def _parameters(model: Any, structure: Structure) -> dict[str, Parameter]:
    torch = torch_module()
    found = {}
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        module, shape = model.get_submodule(owner), tuple(parameter.shape)
        table = isinstance(module, (torch.nn.Embedding, torch.nn.EmbeddingBag))
        fans = (1, 1) if table else _fans(shape, structure.inputs.get(owner, 0))
        found[name] = Parameter(owner, type(module).__name__, shape, *fans, table)
    return found


def _fans(shape: tuple[int, ...], inputs: int) -> tuple[int, int]:
    """Fan_in and fan_out, of a matrix (outputs, inputs, …), or (inputs, outputs) where the module's input says so."""
    if len(shape) < 2:
        return 0, 0
    field_size = int(np.prod(shape[2:]))
    first, second = shape[0] * field_size, shape[1] * field_size
    return (first, second) if len(shape) == 2 and shape[0] == inputs != shape[1] else (second, first)


def _log_norm(gradient: Any) -> float:
    """Natural logarithm of the norm of a gradient; NaN where the parameter has none."""
    if gradient is None:
        return nan
    norm = float(gradient.detach().double().norm())
    return log(norm) if 0.0 < norm < inf else (-inf if norm == 0.0 else nan)
