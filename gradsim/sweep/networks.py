"""The axes of a sweep that say which kind of network it is: architecture, inputs, norms, branches, attention.

What an architecture does not use is at its default in its cells, so that one sweep can hold plain networks beside
residual ones with a branch scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from gradsim.errors import SweepError, suggestion
from gradsim.sweep.axes import expand
from gradsim.sweep.cells import NETWORK_AXES, round12
from gradsim.sweep.inputs import FILE_ALLOWED, file_text, length_of
from gradsim.sweep.shapes import ALLOWED as LAYERS_ALLOWED
from gradsim.sweep.shapes import layers_text
from gradsim.sweep.validation import ValidatedModel
from gradsim_core.architectures import ARCHITECTURES, PRESETS, Network
from gradsim_core.architectures.network import COSTS, EMBEDDINGS, LENGTHS, NORMALISATIONS, PLACEMENTS, SCALES, SCORES

_MOST_INPUTS, _MOST_OUTPUTS, _MOST_TOKENS, _LARGEST_SCALE = 4096, 2**20, 2**20, 1e6
_WHOLE = ("inputs", "heads", "outputs", "taps", "vocabulary")
_ALWAYS_USED = ("architecture", "inputs", "normalisation", "preset", "cost", "input_length", "input_file")
NOT_OF_TOKENS = ("input_correlation", "input_length", "input_file")
"""Axes that inputs do not use which are tokens."""


def _values(value: object, info: ValidationInfo) -> list[Any]:
    field = str(info.field_name)
    return expand(field, value, whole=field in _WHOLE)


def _named(field: str, names: Any) -> Callable[[list[object]], list[object]]:
    """A check that every value is one of some names."""

    def check(values: list[object]) -> list[object]:
        for value in values:
            if value not in names or not isinstance(value, str):
                raise SweepError(field, value, f"one of {', '.join(names)}", suggestion(value, names))
        return values

    return check


def _scales(values: list[object]) -> list[float | str]:
    return [_scale(value) for value in values]


def _lengths(values: list[object]) -> list[float | str]:
    return [length_of(value) for value in values]


def _scale(value: object) -> float | str:
    if isinstance(value, str) and value in SCALES:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 / _LARGEST_SCALE <= value <= _LARGEST_SCALE:
        return round12(float(value))
    allowed = f"a number from 1e-6 to 1e6, or one of {', '.join(SCALES)}"
    raise SweepError("branch_scale", value, allowed, 'Write for example branch_scale = "1/sqrt(L)"')


_Axis = BeforeValidator(_values)
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(round12)]
_Whole = Annotated[int, Field(strict=True)]


def _names(field: str, names: Any, example: str) -> Any:
    """The type and the declaration of an axis of names."""
    check = BeforeValidator(_named(field, names))
    declared = Field(min_length=1, description=f"one or more of {', '.join(names)}", examples=[example])
    return Annotated[tuple[str, ...], declared, check, _Axis]


class NetworkAxes(ValidatedModel):
    """The axes that say which kind of network it is. Each is left out of files, keys and hashes at its default."""

    architecture: _names("architecture", ARCHITECTURES, "residual2") = ("plain",)  # type: ignore[valid-type]
    inputs: Annotated[tuple[Annotated[_Whole, Field(ge=1, le=_MOST_INPUTS)], ...], _Axis] = Field(
        default=(1,), min_length=1, description=f"one or more whole numbers from 1 to {_MOST_INPUTS}", examples=[32]
    )
    input_correlation: Annotated[tuple[Annotated[_Number, Field(ge=0, le=1)], ...], _Axis] = Field(
        default=(0.0,), min_length=1, description="one or more numbers from 0 to 1", examples=[0.0]
    )
    normalisation: _names("normalisation", NORMALISATIONS, "layer") = ("none",)  # type: ignore[valid-type]
    placement: _names("placement", PLACEMENTS, "pre") = ("pre",)  # type: ignore[valid-type]
    branch_scale: Annotated[tuple[float | str, ...], BeforeValidator(_scales), _Axis] = Field(
        default=(1.0,), min_length=1, description=f"one or more numbers, or of {', '.join(SCALES)}", examples=[1.0]
    )
    heads: Annotated[tuple[Annotated[_Whole, Field(ge=1, le=_MOST_INPUTS)], ...], _Axis] = Field(
        default=(1,), min_length=1, description=f"one or more whole numbers from 1 to {_MOST_INPUTS}", examples=[1]
    )
    causal: Annotated[tuple[Annotated[bool, Field(strict=True)], ...], _Axis] = Field(
        default=(True,), min_length=1, description="true or false", examples=[True]
    )
    scores: _names("scores", SCORES, "1/sqrt(d)") = ("1/sqrt(d)",)  # type: ignore[valid-type]
    gated: Annotated[tuple[Annotated[bool, Field(strict=True)], ...], _Axis] = Field(
        default=(False,), min_length=1, description="true or false", examples=[False]
    )
    expansion: Annotated[tuple[Annotated[_Number, Field(ge=0, le=1024)], ...], _Axis] = Field(
        default=(0.0,), min_length=1, description="one or more numbers > 0 (0: the usual one)", examples=[0.0]
    )

    preset: _names("preset", ("none", *PRESETS), "he_normal") = ("none",)  # type: ignore[valid-type]

    cost: _names("cost", COSTS, "softmax") = ("readout",)  # type: ignore[valid-type]
    outputs: Annotated[tuple[Annotated[_Whole, Field(ge=1, le=_MOST_OUTPUTS)], ...], _Axis] = Field(
        default=(10,), min_length=1, description=f"one or more whole numbers from 1 to {_MOST_OUTPUTS}", examples=[10]
    )

    sigma_u: Annotated[tuple[Annotated[_Number, Field(ge=0, le=1e30)], ...], _Axis] = Field(
        default=(0.0,), min_length=1, description="one or more finite numbers >= 0 (to 1e30)", examples=[0.0]
    )

    taps: Annotated[tuple[Annotated[_Whole, Field(ge=1, le=_MOST_INPUTS)], ...], _Axis] = Field(
        default=(3,), min_length=1, description=f"one or more whole numbers from 1 to {_MOST_INPUTS}", examples=[3]
    )

    differences: Annotated[tuple[Annotated[bool, Field(strict=True)], ...], _Axis] = Field(
        default=(False,), min_length=1, description="true or false", examples=[False]
    )

    layers: Annotated[tuple[str], BeforeValidator(layers_text)] = Field(
        default=("",), description=LAYERS_ALLOWED, examples=[""]
    )

    input_length: Annotated[tuple[float | str, ...], BeforeValidator(_lengths), _Axis] = Field(
        default=("random",), min_length=1, description=f"one or more numbers, or of {', '.join(LENGTHS)}",
        examples=["sphere"],
    )  # fmt: skip

    input_file: Annotated[tuple[str], BeforeValidator(file_text)] = Field(
        default=("",), description=FILE_ALLOWED, examples=[""]
    )

    embedding: _names("embedding", EMBEDDINGS, "none") = ("none",)  # type: ignore[valid-type]
    vocabulary: Annotated[tuple[Annotated[_Whole, Field(ge=2, le=_MOST_TOKENS)], ...], _Axis] = Field(
        default=(1000,),
        min_length=1,
        description=f"one or more whole numbers from 2 to {_MOST_TOKENS}",
        examples=[1000],
    )
    sigma_embedding: Annotated[tuple[Annotated[_Number, Field(ge=1e-6, le=1e6)], ...], _Axis] = Field(
        default=(1.0,), min_length=1, description="one or more numbers from 1e-6 to 1e6", examples=[1.0]
    )

    @property
    def network_axes(self) -> tuple[str, ...]:
        """Names of these axes that are not at their default."""
        fields = type(self).model_fields
        return tuple(axis for axis in NETWORK_AXES if getattr(self, axis) != fields[axis].default)


class NetworkOptions(TypedDict, total=False):
    """The axes of `NetworkAxes`, a value each, as keywords of functions."""

    architecture: str
    inputs: int
    input_correlation: float
    normalisation: str
    placement: str
    branch_scale: float | str
    heads: int
    causal: bool
    scores: str
    gated: bool
    expansion: float
    preset: str
    cost: str
    outputs: int
    sigma_u: float
    taps: int
    differences: bool
    layers: str | Sequence[int]
    input_length: float | str
    input_file: str | Path
    embedding: str
    vocabulary: int
    sigma_embedding: float


def axes_used(network: Network) -> set[str]:
    """Return the axes that matter to a network."""
    used = {*_ALWAYS_USED, *ARCHITECTURES[network.architecture].uses}
    used |= {"input_correlation"} if network.inputs > 1 else set()
    used |= {"outputs"} if network.cost not in ("readout", "shared") else set()
    used -= {"differences"} if network.inputs == 1 else set()
    if network.embedding != "none" and "embedding" in used:
        used |= {"vocabulary", "sigma_embedding"}
        used -= {*NOT_OF_TOKENS, *(("outputs",) if network.cost == "softmax" else ())}
    return used | ({"placement"} if network.normalisation != "none" else set())


def used(network: Network) -> Network:
    """Return the network with all that its architecture does not use at its default."""
    kept, default = axes_used(network), Network()
    return Network(*(getattr(network if axis in kept else default, axis) for axis in NETWORK_AXES))
