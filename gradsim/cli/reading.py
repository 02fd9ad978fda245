"""Commands that read a run: status, summarize, boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gradsim.cli.options import FORMAT

_DIRECTORY = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))


@click.command()
@_DIRECTORY
@FORMAT
def status(directory: Path, form: str) -> None:
    """Say what of a run is done and what is missing."""
    import pandas as pd

    from gradsim import runs, text

    result = runs.open(directory)
    missing = result.dataset.missing()
    done = int(result.dataset.networks_done().sum())
    facts = {
        "directory": str(directory),
        "sweep": result.sweep.content_hash[:12],
        "cells": result.sweep.cell_count,
        "networks": result.dataset.plan.networks,
        "networks_done": done,
        "shards": result.dataset.plan.shard_count,
        "shards_missing": len(missing),
        "first_missing": " ".join(map(str, missing[:10])) or None,
        "complete": not missing,
    }
    if form != "table":
        click.echo(text.render(pd.DataFrame([facts]), form))  # type: ignore[arg-type]
        return
    for name, value in facts.items():
        if value is not None:
            shown = (
                ("yes" if value else "no")
                if isinstance(value, bool)
                else f"{value:,}"
                if isinstance(value, int)
                else value
            )
            click.echo(f"{name:15} {shown}")
    if missing:
        click.echo("Give the same `gradsim run` command again to compute the missing shards.")


@click.command()
@_DIRECTORY
@FORMAT
def summarize(directory: Path, form: Any) -> None:
    """Print a row per cell: gain, decades, dead fraction, phase."""
    from gradsim import runs, text

    click.echo(text.render(runs.open(directory).summary(), form, text.SUMMARY_COLUMNS))


@click.command()
@_DIRECTORY
@click.option("--level", type=float, default=0.95, show_default=True, help="Probability of the intervals.")
@FORMAT
def boundary(directory: Path, level: float, form: Any) -> None:
    """Print sigma_w at the boundary between vanishing and exploding, per depth, beside theory."""
    from gradsim import runs, text

    click.echo(text.render(runs.open(directory).boundary(level), form, text.BOUNDARY_COLUMNS))
