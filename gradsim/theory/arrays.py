"""Functions of the theory for arrays: a row of a table for each combination of their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd

from gradsim.errors import SweepError
from gradsim.theory.errors import NoCriticalPoint
from gradsim.theory.memory import current
from gradsim_core.activations import Activation


def for_arrays(function: Callable[..., Any], *columns: str) -> Callable[..., Any]:
    """Return the function for arrays too: with one among its arguments it returns a frame.

    Parameters
    ----------
    function
        Of an activation and numbers; returns a number, a NamedTuple of numbers or a frame.
    columns
        Names of the number, or of the tuple's; none for a frame.

    Returns
    -------
    callable
        Given numbers it is ``function``. Given arrays or lists, of activations too, it combines them as NumPy does
        (write ``sigma_w[:, None]`` for all pairs) and returns a frame: the arguments, the results, and ``reason``, why
        there is no result.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if all(map(_single, (*args, *kwargs.values()))):
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return _frame(function, bound.arguments, columns)

    return call


def _frame(function: Callable[..., Any], arguments: dict[str, Any], columns: tuple[str, ...]) -> pd.DataFrame:
    """Rows of all combinations of the arguments."""
    arrays = {name: _objects(name, value) for name, value in arguments.items()}
    try:
        combined = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.ndim)
        raise SweepError(
            "shapes", shapes, "arrays whose shapes NumPy can combine", "Write sigma_w[:, None] for all pairs"
        ) from None
    points = [dict(zip(arguments, values, strict=True)) for values in zip(*(a.ravel() for a in combined), strict=True)]
    if not columns:
        return pd.concat([_with_arguments(function(**point), point) for point in points], ignore_index=True)
    rows = [(*_names(point).values(), *_numbers(function, point, len(columns))) for point in points]
    frame = pd.DataFrame(rows, columns=[*arguments, *columns, "reason"], dtype=object)  # so that None stays None
    return (
        frame.drop(columns="reason")
        .infer_objects()
        .astype(dict.fromkeys(columns, float))
        .assign(reason=frame["reason"])
    )


def _numbers(function: Callable[..., Any], point: dict[str, Any], count: int) -> tuple[Any, ...]:
    """The numbers of one combination, and why there are none."""
    current(point["activation"])  # an unknown one is an error, one without a result is not
    try:
        found = function(**point)
    except NoCriticalPoint as none:
        return (*[np.nan] * count, none.reason)
    except SweepError as refused:
        if refused.field != "activation":
            raise
        return (*[np.nan] * count, str(refused))
    return (*(found if isinstance(found, tuple) else (found,)), None)


def _with_arguments(frame: pd.DataFrame, point: dict[str, Any]) -> pd.DataFrame:
    names = {name: value for name, value in _names(point).items() if name not in frame}
    return pd.concat([pd.DataFrame(names, index=frame.index), frame], axis=1)


def _names(point: dict[str, Any]) -> dict[str, Any]:
    """The arguments as a table shows them."""
    return {name: getattr(value, "name", value) for name, value in point.items()}


def _single(value: Any) -> bool:
    """Whether an argument is one activation or one number."""
    return isinstance(value, (str, Activation)) or np.ndim(value) == 0


def _objects(name: str, value: Any) -> np.ndarray:
    """An argument as an array of objects, so that it keeps its types."""
    if np.ma.is_masked(value):
        raise SweepError(name, np.ma.masked, "values without a mask", f"Leave masked ones out: {name}.compressed()")
    if _single(value):
        array = np.empty((), object)
        array[()] = value
        return array
    return np.asarray(value, object)
