"""Commands that read a run: status, summarize, boundary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gradsim.cli.options import FORMAT

_DIRECTORY = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))


@click.command()
@_DIRECTORY
@click.option("--array", "jobs", type=click.IntRange(1), metavar="N", help="Say which of N jobs i/N have shards left.")
@FORMAT
def status(directory: Path, jobs: int | None, form: str) -> None:
    """Say what of a run is done, missing and failed, how fast it goes, and which jobs to run again."""
    import pandas as pd

    from gradsim import runs
    from gradsim.report import text
    from gradsim.runs.status import run_status
    from gradsim.system.progress import duration

    facts = run_status(runs.open(directory).dataset, jobs)
    if form != "table":
        click.echo(text.render(pd.DataFrame([facts]), form))  # type: ignore[arg-type]
        return
    if facts["seconds_left"] is not None:
        facts["seconds_left"] = duration(facts["seconds_left"])
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name:18} {_word(value)}")
    if facts["rerun_array"]:
        click.echo(f"Run the jobs with shards left again: sbatch --array={facts['rerun_array']} SCRIPT")
    elif not facts["complete"]:
        click.echo("Give the same `gradsim run` command again to compute the missing shards.")


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,}"
    return str(value) if len(str(value)) <= 80 else f"{str(value)[:77]}..."


@click.command()
@_DIRECTORY
@FORMAT
def summarize(directory: Path, form: Any) -> None:
    """Print a row per cell: gain, decades, dead fraction, phase."""
    from gradsim import runs
    from gradsim.report import text

    click.echo(text.render(runs.open(directory).summary(), form, text.SUMMARY_COLUMNS))


@click.command()
@_DIRECTORY
@click.option("--level", type=float, default=0.95, show_default=True, help="Probability of the intervals.")
@FORMAT
def boundary(directory: Path, level: float, form: Any) -> None:
    """Print sigma_w at the boundary between vanishing and exploding, per depth, beside theory."""
    from gradsim import runs
    from gradsim.report import text

    click.echo(text.render(runs.open(directory).boundary(level), form, text.BOUNDARY_COLUMNS))
