"""Activations and weight laws of a sweep: names from the tables, and a user's own pair (phi, dphi)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType

from gradsim.errors import SweepError, suggestion
from gradsim_core.activations import ACTIVATIONS, Activation, resolve_activation
from gradsim_core.laws import LAWS, resolve_law


@dataclass(frozen=True)
class OwnActivation:
    """A user's own activation as a dataset stores it: its name and a digest of its code, without the functions."""

    name: str
    code: str


AxisActivation = str | Activation | OwnActivation


def check_activation(field: str, value: object) -> AxisActivation:
    """Return the canonical name of an activation of the table, or a user's own activation unchanged.

    Raises
    ------
    SweepError
        For an unknown name or parameter, or a user's own activation that reuses a name of the table.
    """
    if isinstance(value, OwnActivation):
        return value
    allowed = f"one of {', '.join(ACTIVATIONS)}, or gs.Activation(name, phi, dphi)"
    try:
        found = resolve_activation(value)  # type: ignore[arg-type]  # raises TypeError for any other type
    except (ValueError, TypeError) as error:
        raise SweepError(field, value, allowed, _remedy(value, ACTIVATIONS, error)) from None
    if isinstance(value, str):
        return found.name
    try:
        same_name = resolve_activation(found.name)
    except ValueError:
        return found
    if same_name != found:
        raise SweepError(field, found.name, "a name that is not in the table", "Give your activation its own name")
    return found.name


def find_activation(activation: str | Activation) -> Activation:
    """Return the activation of that name, or a user's own one unchanged; :class:`SweepError` for an unknown name."""
    known = check_activation("activation", activation)
    return resolve_activation(known if isinstance(known, str) else activation)


def check_law(field: str, value: object) -> str:
    """Return the canonical name of a weight law; :class:`SweepError` for an unknown name or parameter."""
    try:
        return resolve_law(value).name  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise SweepError(field, value, f"one of {', '.join(LAWS)}", _remedy(value, LAWS, error)) from None


def _remedy(value: object, table: Iterable[str], error: Exception) -> str:
    word = str(value).partition("(")[0]
    return str(error).rstrip(".") if word in table else suggestion(word, table)


def name_of(activation: AxisActivation) -> str:
    """Return the name that cells and files use for the activation."""
    return activation if isinstance(activation, str) else activation.name


def as_own(activation: Activation | OwnActivation) -> OwnActivation:
    """Return the name and code digest of a user's own activation.

    The digest covers bytecode, constants and names of both functions: it changes with what they compute, and also
    with the version of Python.
    """
    if isinstance(activation, OwnActivation):
        return activation
    facts = [
        activation.name, activation.alpha, activation.kinks, activation.slope_zero, activation.slope_inf,
        _function(activation.phi), _function(activation.dphi),
    ]  # fmt: skip
    return OwnActivation(activation.name, hashlib.sha256(repr(facts).encode()).hexdigest())


def _function(function: object) -> object:
    function = getattr(function, "py_func", function)  # the Python function of a Numba dispatcher
    code = getattr(function, "__code__", None)
    if code is None:  # written in C, such as a NumPy ufunc
        return getattr(function, "__name__", repr(function))
    contents = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    closure = [_function(value) if callable(value) else repr(value) for value in contents]
    return [_code(code), repr(getattr(function, "__defaults__", None)), closure]


def _code(code: CodeType) -> object:
    constants = [_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code.hex(), code.co_names, constants]
