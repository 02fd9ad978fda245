"""Activations and weight laws of a sweep: names from the tables, and a user's own pair (phi, dphi)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from gradsim.errors import SweepError, suggestion
from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation, resolve_activation
from gradsim_core.activations.own import check_compiles
from gradsim_core.activations.table import check_name
from gradsim_core.laws import LAWS, resolve_law

_DIGEST = "2:"
"""What digests begin with. Older ones, without it, left out values that functions use."""


@dataclass(frozen=True)
class OwnActivation:
    """A user's own activation as a dataset stores it: its name and a digest of its functions, which are left out."""

    homogeneous: ClassVar[bool] = True
    """Only pairs that are can have been in a sweep that needs it."""

    name: str
    code: str

    @property
    def of_older_digest(self) -> bool:
        """Whether the digest is of a version that left out values which the functions use."""
        return not self.code.startswith(_DIGEST)


AxisActivation = str | Activation | OwnActivation


def check_activation(field: str, value: object) -> AxisActivation:
    """Return the canonical name of an activation of the table, or a user's own activation unchanged.

    Raises
    ------
    SweepError
        For an unknown name or parameter, or a user's own activation that reuses a name of the table.
    """
    if isinstance(value, OwnActivation):
        try:
            check_name(value.name)
        except (TypeError, ValueError):
            raise SweepError(field, value.name, "a name of printable text", "Give the activation such a name") from None
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
    """Return the name and digest of a user's own activation.

    The digest covers all that both functions compute with: their code, and the values and functions that they use. It
    also changes with the version of Python.

    Raises
    ------
    SweepError
        If they use something whose content cannot be compared.
    """
    if isinstance(activation, OwnActivation):
        return activation
    try:
        return OwnActivation(activation.name, _DIGEST + activation.digest.text)
    except TypeError as error:
        raise _refused(activation, error) from None


def check_simulable(activation: Activation | OwnActivation) -> None:
    """Raise :class:`SweepError` if Numba cannot compile the functions of a user's own activation."""
    if isinstance(activation, OwnActivation) or jit.disabled():
        return
    try:
        check_compiles(activation)
    except TypeError as error:
        raise _refused(activation, error) from None


def check_runs_on_gpus(activation: Activation | OwnActivation) -> None:
    """Raise :class:`SweepError` if the functions of a user's own activation use what only the CPU has."""
    if isinstance(activation, OwnActivation):
        return
    from gradsim_core.cuda.compiler.own import check_compiles_for_gpu

    try:
        check_compiles_for_gpu(activation)
    except TypeError as error:
        raise _refused(activation, error) from None


def check_unchanged(activation: Activation | OwnActivation, made: OwnActivation) -> Activation:
    """Return a user's own activation, which has the digest of when its sweep was made; else :class:`SweepError`."""
    if isinstance(activation, OwnActivation):
        allowed = "an activation with its functions"
        remedy = "Run with the sweep that holds your gs.Activation, as when the dataset was made"
        raise SweepError("activation", activation.name, allowed, remedy)
    if as_own(activation) != made:
        allowed = "functions that use the same values as when the sweep was made"
        raise SweepError("activation", activation.name, allowed, "Set the values back, or make a new Sweep")
    return activation


def _refused(activation: Activation, error: TypeError) -> SweepError:
    return SweepError("activation", activation.name, "a pair of plain functions of one number", str(error))
