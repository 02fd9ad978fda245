"""Names that users type: how a name with a parameter is read, and what is suggested for a wrong one."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

_CALL = re.compile(r"\s*(\w+)\s*(?:\(\s*([^()]*?)\s*\))?\s*")


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that looks most like `word`, or None if none does."""
    matches = difflib.get_close_matches(str(word).lower(), list(choices), n=1, cutoff=0.5)
    return matches[0] if matches else None


def parse(text: object, table: Iterable[str], what: str) -> tuple[str, float | None]:
    """Split ``"name"`` or ``"name(0.2)"`` into a known name and its parameter (None if not given).

    Raises
    ------
    ValueError
        Says what was got, which name is nearest and which are allowed.
    """
    known = list(table)
    match = _CALL.fullmatch(text) if isinstance(text, str) else None
    name = match.group(1) if match else None
    if match is None or name not in known:
        guess = nearest(name or str(text), known)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise ValueError(f"unknown {what} {text!r}.{hint} Allowed: {', '.join(known)}.")
    if match.group(2) is None:
        return name, None
    try:
        parameter = float(match.group(2))
    except ValueError:
        parameter = math.nan
    if not math.isfinite(parameter):
        raise ValueError(f"{what} {text!r}: the parameter must be one finite number, as in {name}(0.5).")
    return name, parameter


def resolve(text: object, table: Mapping[str, Any], what: str, value: str) -> tuple[str, Any]:
    """The row that a name means, with its parameter put in, and the name without it.

    Parameters
    ----------
    table : mapping of str to dataclass
        Rows with the fields ``parameter`` (its name, or None), ``accepts`` (whether a value is allowed) and ``allowed``
        (the same in words). Any other field that is a function and listed in ``row.OF_PARAMETER`` is replaced by what
        it gives at the value.
    what : str
        What the table holds, for errors: ``"activation"``.
    value : str
        The field of the parameter's value; in the table it holds the default.

    Raises
    ------
    ValueError
        Unknown name or parameter: says what was got, what is allowed, and what to write instead.
    """
    name, parameter = parse(text, table, what)
    row = table[name]
    if row.parameter is None:
        if parameter is not None:
            raise ValueError(f"{what} {name!r} takes no parameter, got {text!r}. Write {name!r} alone.")
        return name, row
    default = getattr(row, value)
    parameter = default if parameter is None else parameter
    if not row.accepts(parameter):
        raise ValueError(
            f"{what} {text!r}: {row.parameter} is {parameter:.12g}, but must be {row.allowed}. "
            f"Write for example {f'{name}({default:.12g})'!r}."
        )
    settled = {field: getattr(row, field) for field in row.OF_PARAMETER}
    settled = {field: entry(parameter) for field, entry in settled.items() if callable(entry)}
    return name, replace(row, **{value: parameter}, **settled)
