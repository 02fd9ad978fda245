"""A table within the width of a terminal: sentences as notes below it, and columns in blocks one below the other."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pandas as pd

_SENTENCE = 24  # characters from which a text stands below the table
_GAP = 1  # blank between columns


def fit(table: pd.DataFrame, keys: Sequence[str], width: int) -> str:
    """Return a table of text whose lines are at most ``width`` characters long, where single columns allow it.

    Parameters
    ----------
    table
        Text only.
    keys
        Columns that name the rows: every block begins with them.
    width
        Characters of a line.

    Examples
    --------
    >>> columns = {"depth": ["4", "8"], "theory": ["1.648", "1.449"], "reason": ["-", "No crossing of zero at all."]}
    >>> print(fit(pd.DataFrame(columns), ["depth"], 20))
    depth theory reason
        4  1.648      -
        8  1.449    [1]
    <BLANKLINE>
    [1] No crossing of
        zero at all.
    """
    whole = table.to_string(index=False)
    if max(map(len, whole.splitlines())) <= width:
        return _stripped(whole)
    table, notes = _with_notes(table)
    blocks = [_stripped(table[names].to_string(index=False)) for names in _blocks(table, keys, width)]
    return "\n\n".join(
        blocks + (["\n".join(_note(i, text, width) for i, text in enumerate(notes, 1))] if notes else [])
    )


def _with_notes(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with numbers in the place of sentences, and the sentences."""
    sentences = [name for name in table if table[name].str.len().max() > _SENTENCE]
    notes = pd.unique(table[sentences].to_numpy().ravel()).tolist() if sentences else []
    notes = [text for text in notes if len(text) > _SENTENCE]
    numbers = {text: f"[{i}]" for i, text in enumerate(notes, 1)}
    return table.assign(
        **{str(name): table[name].map(lambda text: numbers.get(text, text)) for name in sentences}
    ), notes


def _blocks(table: pd.DataFrame, keys: Sequence[str], width: int) -> list[list[str]]:
    """Names of the columns of each block: the keys, and as many others as fit, at least one."""
    sizes = {str(name): max(len(str(name)), int(table[name].str.len().max())) + _GAP for name in table}
    first = [name for name in sizes if name in keys]
    blocks: list[list[str]] = []
    left = 0
    for name in (name for name in sizes if name not in keys):
        if not blocks or sizes[name] > left:
            blocks.append(list(first))
            left = width + _GAP - sum(sizes[key] for key in first)
        blocks[-1].append(name)
        left -= sizes[name]
    return blocks or [first]


def _note(number: int, text: str, width: int) -> str:
    mark = f"[{number}] "
    return textwrap.fill(text, max(width, 20), initial_indent=mark, subsequent_indent=" " * len(mark))


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())
