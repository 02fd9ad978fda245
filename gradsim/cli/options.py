"""Options that several commands take."""

from __future__ import annotations

import click

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="A table for people, or every column for programs.",
)  # fmt: skip
THREADS = click.option("--threads", type=int, help="Threads; results do not depend on it.  [default: all processors]")
PROGRESS = click.option(
    "--progress", type=click.Choice(["auto", "bar", "log", "none"]), default="auto", show_default=True,
    help="A bar on a terminal, else a line every 30 s.",
)  # fmt: skip
