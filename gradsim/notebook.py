"""How objects look in notebooks: small tables of HTML, and bars of progress as widgets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec

_MOST_NAMES = 8


def facts_html(title: str, facts: Mapping[str, object]) -> str:
    """Return facts as a table with a title; names and values are text, never markup.

    Examples
    --------
    >>> facts_html("Run", {"cells": 4})
    '<table><caption>Run</caption><tr><th scope="row">cells</th><td>4</td></tr></table>'
    """
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>' for name, value in facts.items()
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def short(value: object) -> str:
    """Return a value as text; of many values the first, the last and their number.

    Examples
    --------
    >>> short(64), short((1, 2)), short(range(4, 34))
    ('64', '1, 2', '4, 5, ..., 33 (30 values)')
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        return f"{getattr(value, 'name', value)}"
    names = [f"{getattr(item, 'name', item)}" for item in value]
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, ..., {names[-1]} ({len(names):,} values)"


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook: IPython runs it, and its shell has a kernel."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def has_widgets() -> bool:
    """Whether this is a notebook that can show widgets: ipywidgets is installed."""
    return in_notebook() and find_spec("ipywidgets") is not None
