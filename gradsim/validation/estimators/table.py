"""What an estimator is: a function of named numbers and names, and its estimate."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from gradsim.activations import check_activation, check_law
from gradsim.errors import MISSING, SweepError, suggestion
from gradsim.validation import formulas


class Estimate(NamedTuple):
    """A number of ours.

    Attributes
    ----------
    value
        The number.
    error
        Its standard error; 0 if nothing random went into it.
    """

    value: float
    error: float = 0.0


_NAMES: dict[str, Callable[[str, object], object]] = {"activation": check_activation, "law": check_law}

Function = Callable[..., "float | Estimate"]


@dataclass(frozen=True)
class Estimator:
    """A row of the table.

    Parameters
    ----------
    name, family
        Its name in claim files, and what it belongs to.
    function
        Takes keywords annotated as str, int or float, and returns a number or an `Estimate`.
    """

    name: str
    family: str
    function: Function

    @property
    def signature(self) -> inspect.Signature:
        """The function's parameters, with their annotations as types."""
        return inspect.signature(self.function, eval_str=True)

    def check(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Return the arguments for the parameters given: numbers and formulas as numbers.

        Raises
        ------
        SweepError
            A parameter that is unknown, missing, or not of its kind.
        """
        parameters = self.signature.parameters
        for name, value in given.items():
            if name not in parameters:
                allowed = f"a parameter of {self.name}: {', '.join(parameters) or 'none'}"
                raise SweepError(f"given.{name}", value, allowed, suggestion(name, parameters))
        for name, parameter in parameters.items():
            if name not in given and parameter.default is parameter.empty:
                raise SweepError(f"given.{name}", MISSING, f"a value for {self.name}", f"Add {name} to given")
        return {name: _argument(name, value, parameters[name].annotation) for name, value in given.items()}

    def controls(self, given: Mapping[str, object]) -> list[str]:
        """Return the parameters in which an error of 2 % can be planted: real numbers other than 0."""
        arguments = self.check(given)
        return [name for name, value in arguments.items() if isinstance(value, float) and value != 0.0]

    def __call__(self, given: Mapping[str, object], control: str | None = None) -> Estimate:
        """Return the estimate, with the parameter ``control`` raised by 2 %."""
        arguments = self.check(given)
        if control is not None:
            arguments[control] *= 1.02
        found = self.function(**arguments)
        return found if isinstance(found, Estimate) else Estimate(float(found))


def _argument(name: str, value: object, kind: type) -> Any:
    if kind is str:
        if not isinstance(value, str):
            raise SweepError(f"given.{name}", value, "a name in quotes", 'Write for example "tanh"')
        if name in _NAMES:
            _NAMES[name](f"given.{name}", value)
        return value
    try:
        number = formulas.evaluate(value)  # type: ignore[arg-type]  # others are refused as no formulas
    except ValueError:
        raise SweepError(f"given.{name}", value, formulas.ALLOWED, "Write for example 1.5") from None
    if kind is int and not number.is_integer():
        raise SweepError(f"given.{name}", value, "a whole number", "Write for example 8")
    return kind(number)
