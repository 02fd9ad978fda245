"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gradsim.sweep import Sweep

SWEEP = click.argument("sweep", metavar="SWEEP")
FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="A table for people, or every column for programs.",
)  # fmt: skip
THREADS = click.option("--threads", type=int, help="Threads; results do not depend on it.  [default: all processors]")
PROGRESS = click.option(
    "--progress", type=click.Choice(["auto", "bar", "log", "none"]), default="auto", show_default=True,
    help="A bar on a terminal, else a line every 30 s.",
)  # fmt: skip


def override_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that choose kernels, in place of the sweep's values."""
    for option in (
        click.option("--dtype", help="float32 or float64, in place of the sweep's."),
        click.option("--method", help="explicit or conditional, in place of the sweep's."),
    ):
        command = option(command)
    return command


def changed(sweep: Sweep, options: Mapping[str, Any]) -> Sweep:
    """Return the sweep with the given options in place of its own values."""
    names = ("networks", "method", "dtype", "seed")
    changes = {name: options[name] for name in names if options.get(name) is not None}
    return sweep.replace(**changes) if changes else sweep
