"""Tables on standard output."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

    from gradsim.report.text import Format


def show(frame: pd.DataFrame, form: Format, columns: list[str] | None = None, end: str = "") -> None:
    """Print a frame; on a terminal the table for people fits its width."""
    from gradsim.report import text

    click.echo(text.render(frame, form, columns, terminal_width()) + end)


def terminal_width() -> int | None:
    """Return the characters of a line if standard output is a terminal, else None."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
