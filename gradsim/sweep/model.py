"""A sweep: which networks to simulate. Validated when made, immutable, with a hash of its content."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, FailFast, Field, model_validator

from gradsim.activations import (
    AxisActivation,
    OwnActivation,
    as_own,
    check_simulable,
    check_unchanged,
    name_of,
)
from gradsim.errors import SweepError
from gradsim.sweep import fields, files, presets, shapes
from gradsim.sweep.axes import CELL_CAP, refuse_repeats
from gradsim.sweep.cells import NETWORK_AXES, Cell, canonical_json, digest_in
from gradsim.sweep.fields import (
    DEPTH_CAP,
    LARGEST_SIGMA,
    NETWORKS_CAP,
    SMALLEST_SIGMA,
    WIDTH_CAP,
    Axis,
    Float,
    Int,
)
from gradsim.sweep.inputs import check_inputs
from gradsim.sweep.methods import NAMES, Asked, known_method, work_of
from gradsim.sweep.networks import NetworkAxes, used
from gradsim.sweep.quantities import check_quantities, known_quantities
from gradsim.sweep.rules import check_networks
from gradsim_core.activations import Activation, resolve_activation
from gradsim_core.architectures import PLAIN, Network
from gradsim_core.laws import WeightLaw, resolve_law
from gradsim_core.results.of_inputs import OF_INPUTS
from gradsim_core.results.quantities import QUANTITIES

AXES = ("activation", "law", "sigma_b", "width", "depth", "sigma_w")
"""The axes of every sweep in the order of the cells: sigma_w varies fastest. Network axes that are set come before."""


class Sweep(NetworkAxes):
    """Which networks to simulate: axes whose product is the cells, and scalars that apply to all cells.

    Parameters
    ----------
    activation, law, sigma_w, sigma_b, depth, width
        The axes: a value, a list, range or array of values, or a grid ``{"start": …, "stop": …, "num": …}``
        with ``"spacing": "linear"`` or ``"log"``. ``activation`` also takes a user's own
        :class:`gradsim.Activation`. Floats are kept at 12 significant digits.
    architecture, inputs, normalisation, placement, branch_scale, heads, …
        Further axes, the kind of network: those of `gradsim.sweep.networks.NetworkAxes`, explained in the guide.
    layers
        Numbers of the inputs and of the neurons of each layer of plain networks, such as ``[784, 30, 30, 10]``, in
        place of depth and width.
    preset
        Initialisations by name, such as ``"he_normal"``, in place of law, sigma_w and sigma_b.
    networks, seed
        Number of networks of each cell; seed of all random numbers.
    method
        ``"explicit"`` draws real weights. The others sample the same laws exactly without them, many times faster:
        ``"conditional"`` for gaussian and orthogonal weights, ``"radial"`` if the activation is a line on each side of
        0 besides (relu, leaky_relu, linear, abs), in the same time at any width: plain networks, and residual2.
    dtype
        Precision of the simulation.
    record
        ``"layers"`` stores per-layer statistics, ``"networks"`` also a row per network and layer.
    quantities
        With several inputs, what is recorded of pairs of inputs, beside what every sweep records: names such as
        ``"log_decorrelation"``, or ``"all"``. They are explained in the guide to architectures.
    shard_size
        Number of random normals of one shard, the unit of commit.

    Raises
    ------
    SweepError
        If a key or a value is not valid; the message has one sentence for each fault.

    Notes
    -----
    An axis reads back as a tuple of values. Equal sweeps have the same ``content_hash``, however they were
    written.

    Examples
    --------
    >>> sweep = Sweep(activation=["tanh"], sigma_w=[1.0, 1.5], depth=[4, 8], width=16, networks=100, seed=1)
    >>> sweep.cell_count, sweep.width
    (4, (16,))
    """

    activation: Annotated[tuple[AxisActivation, ...], BeforeValidator(fields.activations), Axis] = Field(
        min_length=1, description="a list of one or more activations", examples=["tanh"]
    )
    law: Annotated[tuple[str, ...], BeforeValidator(fields.laws), Axis] = Field(
        default=("gaussian",),
        min_length=1,
        description="a list of one or more weight laws",
        examples=["gaussian"],
    )
    sigma_w: Annotated[tuple[Annotated[Float, Field(ge=SMALLEST_SIGMA, le=LARGEST_SIGMA)], ...], FailFast(), Axis] = (
        Field(min_length=1, description="one or more finite numbers > 0 (from 1e-30 to 1e30)", examples=[1.5])
    )
    sigma_b: Annotated[tuple[Annotated[Float, Field(ge=0, le=LARGEST_SIGMA)], ...], FailFast(), Axis] = Field(
        default=(0.0,), min_length=1, description="one or more finite numbers >= 0 (to 1e30)", examples=[0.0]
    )
    depth: Annotated[tuple[Annotated[Int, Field(ge=1, le=DEPTH_CAP)], ...], FailFast(), Axis] = Field(
        min_length=1, description=f"one or more whole numbers from 1 to {DEPTH_CAP}", examples=[32]
    )
    width: Annotated[tuple[Annotated[Int, Field(ge=1, le=WIDTH_CAP)], ...], FailFast(), Axis] = Field(
        min_length=1, description=f"one or more whole numbers from 1 to {WIDTH_CAP}", examples=[64]
    )
    networks: Int = Field(ge=1, le=NETWORKS_CAP, description="a whole number from 1 to 2^48", examples=[8192])
    seed: Int = Field(ge=0, le=2**63 - 1, description="a whole number from 0 to 2^63 - 1", examples=[1])
    method: Annotated[str, BeforeValidator(known_method)] = Field(
        default="explicit", description=NAMES, examples=["explicit"]
    )
    dtype: Literal["float32", "float64"] = Field(
        default="float32", description="float32 or float64", examples=["float32"]
    )
    record: Literal["layers", "networks"] = Field(
        default="layers", description="layers or networks", examples=["layers"]
    )
    shard_size: Int = Field(
        default=4 * 10**10, ge=1, le=2**63 - 1, description="a whole number >= 1", examples=[4 * 10**10]
    )

    quantities: Annotated[tuple[str, ...], BeforeValidator(known_quantities)] = Field(
        default=(), description=f"some of {', '.join(OF_INPUTS)}", examples=["log_decorrelation"]
    )

    @model_validator(mode="before")
    @classmethod
    def _stand_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        return presets.without_sigma_w(shapes.with_depth_and_width(values))

    @model_validator(mode="after")
    def _check_product(self) -> Sweep:
        for name in self.own:
            check_simulable(self.activations[name])
        for axis in self.axes:
            refuse_repeats(axis, [name_of(value) if axis == "activation" else value for value in getattr(self, axis)])
        if self.cell_count > CELL_CAP:
            sizes = " x ".join(f"{len(getattr(self, axis))} {axis}" for axis in self.axes)
            raise SweepError(
                "cells",
                sizes,
                f"a product of at most {CELL_CAP} cells",
                "Shorten an axis, or make several sweeps",
            )
        cells = self.cells() if self.network_axes or self.quantities else []
        check_networks(self, cells)
        self._asked.check(self.method)
        check_quantities(self.quantities, cells)
        check_inputs(cells, {name_of(value): value for value in self.activation})
        return self

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes: network axes that are not at their default, then ``AXES``."""
        return *self.network_axes, *AXES

    @property
    def recorded(self) -> tuple[str, ...]:
        """Names of all quantities that are recorded, in the order in which they are stored."""
        return *QUANTITIES, *self.quantities

    def may_be(self, method: str) -> bool:
        """Whether a method can sample all networks of this sweep."""
        return self._asked.may_be(method)

    @property
    def _asked(self) -> Asked:
        axes = tuple(axis for axis in self.network_axes if axis != "preset")
        named = "preset" in self.network_axes
        kinds = itertools.product(*(getattr(self, axis) for axis in NETWORK_AXES)) if axes else ()
        networks = tuple({used(Network(*kind)) for kind in kinds})
        return Asked(tuple(self.activations.values()), tuple(self.laws.values()), axes, named, networks)

    def normals(self, cell: Cell) -> int:
        """Return the number of random normals that one network of a cell draws, or could in its time: the work."""
        return work_of(self.method, cell)

    @classmethod
    def from_toml(cls, path_or_name: str | Path) -> Self:
        """Return the sweep in a TOML file, or a shipped sweep by its name.

        Raises
        ------
        SweepFileError
            If the file cannot be found, read or parsed.
        SweepError
            If a key or a value in it is not valid.

        Examples
        --------
        >>> Sweep.from_toml("phase-tanh").activation
        ('tanh',)
        """
        return cls(**files.read(path_or_name))

    def to_toml(self) -> str:
        """Return the sweep as canonical TOML: equal sweeps give equal text, and ``from_toml`` reads it back.

        Raises
        ------
        SweepError
            If an activation is a user's own: its functions cannot be written as text.
        """
        for i, value in enumerate(self.activation):
            if not isinstance(value, str):
                allowed = "an activation of the table, since functions cannot be written as TOML"
                remedy = "Keep the sweep in Python, or use an activation of the table"
                raise SweepError(fields.place("activation", i, self.activation), value.name, allowed, remedy)
        return self.stored_text()

    def stored_text(self) -> str:
        """Return the text stored in a dataset: ``to_toml`` with a user's own activations as name and code digest."""
        return files.text({key: _single(key, value) for key, value in self._content().items()})

    @classmethod
    def from_stored_text(cls, data: bytes, source: str) -> Self:
        """Return the sweep stored in a dataset; a user's own activations come back without their functions."""
        values = files.parse(data, source)
        names = values.get("activation", [])
        if isinstance(names, list):
            values["activation"] = [
                OwnActivation(**item) if isinstance(item, dict) and set(item) == {"name", "code"} else item
                for item in names
            ]
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        """Return a validated copy with some keys changed."""
        return self.model_copy(update=changes)

    def _changed(self, update: dict[str, Any]) -> dict[str, Any]:
        """All keys, some of them changed; what presets or layers stand for only if it is among them."""
        values, replaced = super()._changed(update), set[str]()
        if presets.are_named(values) or "preset" in self.network_axes:
            replaced |= set(presets.STOOD_FOR)
        if shapes.are_given(values) or "layers" in self.network_axes:
            replaced |= set(shapes.STOOD_FOR)
        return {field: value for field, value in values.items() if field in update or field not in replaced}

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 in hex of the canonical JSON of everything that determines the dataset."""
        # A key that a later version adds must be left out at its default, or old datasets cannot be resumed.
        content = self._content()
        if "input_file" in content:
            content["input_file"] = [digest_in(text) for text in self.input_file]
        if "critical" in self.preset and set(self.normalisation) != {PLAIN.normalisation}:
            content["critical"] = "with norms"  # it was once that of the network without: other numbers
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values on each of ``axes``."""
        return tuple(len(getattr(self, axis)) for axis in self.axes)

    @property
    def cell_count(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    def cells(self) -> list[Cell]:
        """Return all cells in order: the product of ``axes``, sigma_w fastest, numbered from 0."""
        values = {axis: getattr(self, axis) for axis in (*NETWORK_AXES, *AXES)}
        axis_values = {name_of(activation): activation for activation in self.activation}
        values["activation"] = list(axis_values)
        made = []
        for i, (*network, activation, law, sigma_b, width, depth, sigma_w) in enumerate(
            itertools.product(*values.values())
        ):
            kind = used(Network(*network)) if self.network_axes else PLAIN
            cell = Cell(i, activation, law, sigma_w, sigma_b, depth, width, *kind)
            made.append(cell if kind.preset == "none" else presets.resolve(cell, axis_values[activation]))
        return made

    def find_activation(self, name: str) -> Activation:
        """Return the activation that a cell of this sweep calls ``name``.

        Raises
        ------
        SweepError
            If it is a user's own activation, and the sweep was read from a dataset, which stores no functions, or a
            value that they use has changed since the sweep was made.
        """
        found = self.activations[name]
        return found if isinstance(found, Activation) and found.built_in else check_unchanged(found, self.own[name])

    @cached_property
    def activations(self) -> dict[str, Activation | OwnActivation]:
        """Activations by the name that cells use; a user's own one from a stored sweep has no functions."""
        return {
            name_of(value): value if isinstance(value, OwnActivation) else resolve_activation(value)
            for value in self.activation
        }

    @cached_property
    def own(self) -> dict[str, OwnActivation]:
        """A user's own activations by name, with their digests when the sweep was made."""
        return {name_of(value): as_own(value) for value in self.activation if not isinstance(value, str)}

    @cached_property
    def laws(self) -> dict[str, WeightLaw]:
        """Weight laws by the name that cells use."""
        names = presets.laws_of(self.preset) if "preset" in self.network_axes else self.law
        return {name: resolve_law(name) for name in names}

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Leave out what another key stands for, so that the text can be evaluated."""
        yield from ((name, getattr(self, name)) for name in type(self).model_fields if name in self._content())

    def _content(self) -> dict[str, Any]:
        left_out = set(NETWORK_AXES) - set(self.network_axes)
        left_out |= set() if self.quantities else {"quantities"}
        left_out |= set(presets.STOOD_FOR) if "preset" in self.network_axes else set()
        left_out |= set(shapes.STOOD_FOR) if "layers" in self.network_axes else set()
        names = [field for field in type(self).model_fields if field not in left_out]
        content = {field: getattr(self, field) for field in sorted(names, key=lambda field: field in NETWORK_AXES)}
        content["activation"] = [
            value if isinstance(value, str) else asdict(self.own[value.name]) for value in self.activation
        ]
        return content


def _single(field: str, value: Any) -> Any:
    return value[0] if field in (*NETWORK_AXES, *AXES) and len(value) == 1 and not isinstance(value[0], dict) else value
