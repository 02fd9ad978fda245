"""Measures many networks of one model and gathers what hooks, parameters and the graph show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, log, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from gradsim.checking.blocks import Place, places
from gradsim.checking.hooks import Record, first_tensor, log_square, node_of, recording
from gradsim.checking.models import Networks, call, one_thread, seeded, torch_module, with_gradient
from gradsim.checking.structure import Structure, read
from gradsim.checking.weights import Moments
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
        (networks,) ln mean square of the model's output.
    moments, parameters, kinds
        By parameter: its moments, its facts; by module: its class.
    structure
        Of all networks; empty but for ``inputs`` and ``varies`` where they differ.
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
        record, output = _passed(model, batch)
        structure = _structure(model, record, output)
        if self.first is None:
            kinds = {name: type(module).__name__ for name, module in model.named_modules()}
            self.first = (structure, _parameters(model, structure), kinds, _copies(model))
        self.varies |= structure.differs(self.first[0]) or any(len(record.sums) != len(sums) for sums in self.sums[:1])
        for kind, values in (("output", record.outputs), ("gradient", record.gradients), ("norm", record.norms)):
            for name, calls in values.items():
                self.values[kind, name].append(float(np.mean(calls)))
        self.values["result", ""].append(log_square(output)[0])
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
    gatherer, size = _Gatherer(), 0
    for number in range(networks):
        with seeded(seed + number):
            with one_thread(size):
                model, batch = source()
            size = sum(parameter.numel() for parameter in model.parameters())
            with one_thread(size):
                gatherer.add(model, batch)
        if number == 1:
            source.check_initialisation(_stds(gatherer.moments))
        done(1.0 / networks)
    return _measurements(gatherer, networks)


def _measurements(gatherer: _Gatherer, networks: int) -> Measurements:
    assert gatherer.first is not None
    structure, parameters, kinds, copies = gatherer.first
    if gatherer.varies:  # networks that branch at random: their sums and chains cannot be told apart
        gatherer.sums, structure = [[] for _ in gatherer.sums], structure.without_order()
    found = {kind: gatherer.arrays(kind, networks) for kind in ("output", "gradient", "norm", "weight", "result")}
    shapes = {name: f"{one.kind} {' x '.join(map(str, one.shape))}" for name, one in parameters.items()}
    return Measurements(
        networks,
        found["output"],
        found["gradient"],
        found["norm"],
        found["weight"],
        np.array(gatherer.sums, dtype=np.float64).reshape(networks, -1, 4),
        found["result"][""],
        dict(gatherer.moments),
        parameters,
        kinds,
        structure,
        copies,
        places({name: kinds[name] for name in found["output"]}),
        places(shapes),
    )


def _passed(model: Any, batch: Any) -> tuple[Record, Any]:
    """Pass a batch forward, and a random readout of the output back: C = v . out, v ~ N(0, 1/n), as in gradsim."""
    torch = torch_module()
    model.train()  # BatchNorm normalises by the batch, as in the first step of training
    for module in model.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.eval()
    with torch.enable_grad(), recording(model) as record:
        output = first_tensor(call(model, with_gradient(batch)))
        if output is None or not output.requires_grad:
            allowed = "a model whose output has a gradient"
            raise SweepError("model", type(model).__name__, allowed, "Return a tensor of floating-point numbers")
        readout = torch.randn_like(output) / sqrt(output.shape[-1] if output.ndim else 1)
        (readout * output).sum().backward()
    return record, output


def _structure(model: Any, record: Record, output: Any) -> Structure:
    torch = torch_module()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    linear = frozenset(
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and f"{name}.weight" in names.values()  # not one that is computed
    )
    return read(record, node_of(output), names, linear)


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


def _copies(model: Any) -> dict[str, str]:
    """Random matrices that equal an earlier one of the same network, with its name."""
    seen: dict[tuple[object, ...], tuple[str, Any]] = {}  # by shape and first entries
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or float(parameter.detach().std(correction=0)) == 0.0:
            continue
        values = parameter.detach()
        first, same = seen.setdefault((*values.shape, *values.flatten()[:4].tolist()), (name, values))
        if first != name and same.equal(values):
            found[name] = first
    return found


def _log_norm(gradient: Any) -> float:
    """Natural logarithm of the norm of a gradient; NaN where the parameter has none."""
    if gradient is None:
        return nan
    norm = float(gradient.detach().double().norm())
    return log(norm) if 0.0 < norm < inf else (-inf if norm == 0.0 else nan)


def _stds(moments: dict[str, Moments]) -> dict[str, float]:
    """Standard deviations of the parameters that have enough entries to compare."""
    return {name: one.std for name, one in moments.items() if one.entries >= 2000}
