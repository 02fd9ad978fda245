"""Options shared by several commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gradsim.sweep import Sweep

SWEEP = click.argument("sweep", metavar="SWEEP")
FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="table for people (main columns); csv or json for programs (every column).",
)  # fmt: skip
THREADS = click.option(
    "--threads", type=int, help="Number of threads; results do not depend on it.  [default: all processors]"
)
PROGRESS = click.option(
    "--progress", type=click.Choice(["auto", "bar", "log", "none"]), default="auto", show_default=True,
    help="auto: a bar on a terminal, else a line every 30 s.",
)  # fmt: skip


def directory_of(sweep: str) -> Path:
    """Return the default directory of a run: out/NAME."""
    from gradsim.errors import MISSING, SweepError
    from gradsim.sweep.files import is_stream

    if is_stream(sweep):
        raise SweepError("--out", MISSING, "a directory", f"Add --out DIR, since {sweep} gives the run no name")
    return Path("out") / Path(sweep).stem


def override_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that replace the sweep's values and choose its kernels."""
    for option in (
        click.option("--dtype", help="float32 or float64, in place of the sweep's."),
        click.option("--method", help="explicit or conditional, in place of the sweep's."),
    ):
        command = option(command)
    return command


def changed(sweep: Sweep, options: Mapping[str, Any]) -> Sweep:
    """Return the sweep with its values replaced by the options given."""
    names = ("networks", "method", "dtype", "seed")
    changes = {name: options[name] for name in names if options.get(name) is not None}
    return sweep.replace(**changes) if changes else sweep
