"""Kinds of boundaries: which average of the gain is 1 on them, or at which median they lie."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gradsim.errors import SweepError

KINDS = ("quenched", "annealed", "median")

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_ALLOWED = 'quenched, annealed, median, moment(s) with 0 < s <= 2, such as "moment(0.5)", or decades(k)'


class Kind(NamedTuple):
    """A kind of boundary.

    Attributes
    ----------
    name
        As it is written: "quenched", "median", "moment(0.5)", "decades(-1)".
    column
        The estimate whose crossing it is: "quenched", "annealed", "median", or a moment.
    power
        Of the gain in an average: s / 2 for moment(s), 1 for annealed; 0 for others.
    log_gain
        The log gain on the boundary: 0 but for decades.
    """

    name: str
    column: str
    power: float
    log_gain: float

    @property
    def is_moment(self) -> bool:
        """Whether a summary has it only if asked for."""
        return self.column not in KINDS


def find_kind(name: str) -> Kind:
    """Return the kind of boundary that a name stands for, or raise SweepError.

    Examples
    --------
    >>> find_kind("moment(0.5)")
    Kind(name='moment(0.5)', column='moment(0.5)', power=0.25, log_gain=0.0)
    """
    if name in ("quenched", "median"):
        return Kind(name, name, 0.0, 0.0)
    if name == "annealed":
        return Kind(name, name, 1.0, 0.0)
    if isinstance(name, str) and (found := re.fullmatch(rf"(moment|decades)\(({_NUMBER})\)", name)):
        value = float(found[2])
        if found[1] == "decades" and abs(value) <= 1e6:
            return Kind(name, "median", 0.0, 2.0 * float(np.log(10.0)) * value)
        if found[1] == "moment" and 0.0 < value <= 2.0:
            return Kind(name, name, value / 2.0, 0.0)
    raise SweepError("kind", name, _ALLOWED, 'Write for example "moment(1)"')


def find_kinds(names: str | Iterable[str]) -> list[Kind]:
    """Return the kinds that names stand for, each once."""
    return [find_kind(name) for name in dict.fromkeys([names] if isinstance(names, str) else names)]
