"""Names that users type: how a name with a parameter is read, and what is suggested for a wrong one."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable

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
