"""Repeated blocks: names that differ by one index, such as ``blocks.3.mlp.w3`` and ``blocks.4.mlp.w3``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

FEWEST = 3
"""Members from which a family counts as repeated."""


Members = dict[str, dict[str, list[tuple[int, str]]]]
"""Indices and names by family and kind."""


class Place(NamedTuple):
    """Where a module or parameter stands among those that repeat.

    Attributes
    ----------
    family
        Its name with ``*`` in place of the index of the block, and its kind in brackets where several kinds have that
        name; the name itself where it does not repeat.
    layer
        Number of its block, from 1 in the order of the indices; None where it does not repeat.
    """

    family: str
    layer: int | None


def places(kinds: Mapping[str, str]) -> dict[str, Place]:
    """Return the place of each name.

    Parameters
    ----------
    kinds
        What each name is, such as a class and a shape; names of one family must be of one kind.

    Examples
    --------
    >>> places({"blocks.0.w": "A", "blocks.1.w": "A", "blocks.2.w": "A", "head": "A"})["blocks.2.w"]
    Place(family='blocks.*.w', layer=3)
    """
    members: Members = defaultdict(lambda: defaultdict(list))
    for name, kind in kinds.items():
        for family, index in _patterns(name):
            members[family][kind].append((index, name))
    return {name: _place(name, kind, members) for name, kind in kinds.items()}


def _patterns(name: str) -> list[tuple[str, int]]:
    """Each index in a name, and the name with ``*`` in its place."""
    parts = name.split(".")
    return [
        (".".join([*parts[:index], "*", *parts[index + 1 :]]), int(part))
        for index, part in enumerate(parts)
        if part.isdecimal()
    ]


def _place(name: str, kind: str, members: Members) -> Place:
    """The family with the most members, the outermost of equal ones."""
    found = [(len(members[family][kind]), family) for family, _ in _patterns(name)]
    size, family = max(found, key=lambda pair: pair[0], default=(0, name))
    if size < FEWEST:
        return Place(name, None)
    order = [member for _, member in sorted(members[family][kind])]
    several = sum(len(names) >= FEWEST for names in members[family].values()) > 1
    return Place(f"{family} [{kind}]" if several else family, 1 + order.index(name))
