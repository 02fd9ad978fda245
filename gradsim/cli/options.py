"""Options that several commands take."""

from __future__ import annotations

import click

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="A table for people, or every column for programs.",
)  # fmt: skip
