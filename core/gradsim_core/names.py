"""Names that users type: parsing of a name with a parameter, such as "elu(0.5)", and suggestions for unknown names."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

_CALL = re.compile(r"\s*(\w+)\s*(?:\(\s*([^()]*?)\s*\))?\s*")

_OTHER_NAMES = {
    "normal": "gaussian", "haar": "orthogonal", "bernoulli": "rademacher", "swish": "silu", "logistic": "sigmoid",
    "identity": "linear", "sine": "sin", "glorot": "xavier", "kaiming": "he", "mse": "quadratic",
}  # fmt: skip
"""What others call an entry of a table, where the spelling alone would suggest a different one."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice of another name for `word`, else the one most similar in lower case; None if none is similar."""
    known, lower = list(choices), str(word).lower()
    if _OTHER_NAMES.get(lower) in known:
        return _OTHER_NAMES[lower]
    matches = difflib.get_close_matches(lower, known, n=1, cutoff=0.5)
    return matches[0] if matches else None


def parse(text: object, table: Iterable[str], kind: str) -> tuple[str, float | None]:
    """Split ``"name"`` or ``"name(0.2)"`` into a known name and its parameter (None if not given).

    Parameters
    ----------
    text : object
        What the user wrote; anything but a string is refused.
    table : iterable of str
        Known names.
    kind : str
        What the names stand for, used in errors: ``"activation"``.

    Raises
    ------
    ValueError
        Unknown name, or a parameter that is not a finite number. Names the value, the nearest name and those allowed.
    """
    known = list(table)
    match = _CALL.fullmatch(text) if isinstance(text, str) else None
    name = match.group(1) if match else None
    if match is None or name not in known:
        guess = nearest(name or str(text), known)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise ValueError(f"unknown {kind} {text!r}.{hint} Allowed: {', '.join(known)}.")
    if match.group(2) is None:
        return name, None
    try:
        parameter = float(match.group(2))
    except ValueError:
        parameter = math.nan
    if not math.isfinite(parameter):
        raise ValueError(
            f"{kind} {text!r}: the parameter must be one finite number, or left out. Write for example {name!r}."
        )
    return name, parameter


def resolve(text: object, table: Mapping[str, Any], kind: str, value: str) -> tuple[str, Any]:
    """Look up a name with an optional parameter in a table, and set the parameter in its row.

    Parameters
    ----------
    text : object
        What the user wrote, such as ``"elu(0.5)"``.
    table : mapping of str to dataclass
        Rows with the fields ``parameter`` (the parameter's name, or None), ``accepts`` (a predicate of its value) and
        ``allowed`` (the same in words). A field that is listed in ``row.OF_PARAMETER`` and holds a function is replaced
        by that function's value at the parameter.
    kind : str
        What the table holds, used in errors: ``"activation"``.
    value : str
        Name of the field that holds the parameter's value; in the table it is the default.

    Returns
    -------
    name : str
        The name without its parameter.
    row : dataclass
        The row, with the parameter set.

    Raises
    ------
    ValueError
        Unknown name, or a parameter that is not allowed. Names the value, what is allowed and the remedy.
    """
    name, parameter = parse(text, table, kind)
    row = table[name]
    if row.parameter is None:
        if parameter is not None:
            raise ValueError(f"{kind} {name!r} takes no parameter, got {text!r}. Write {name!r} alone.")
        return name, row
    default = getattr(row, value)
    parameter = default if parameter is None else parameter
    if not row.accepts(parameter):
        raise ValueError(
            f"{kind} {text!r}: {row.parameter} is {parameter:.12g}, but must be {row.allowed}. "
            f"Write for example {f'{name}({default:.12g})'!r}."
        )
    dependent = {field: getattr(row, field) for field in row.OF_PARAMETER}
    dependent = {field: entry(parameter) for field, entry in dependent.items() if callable(entry)}
    return name, replace(row, **{value: parameter}, **dependent)
