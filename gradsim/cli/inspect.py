"""Commands that read a run: status, summarize, boundary, layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gradsim.cli.options import FORMAT, completing, quantities

_DIRECTORY = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))


@click.command()
@_DIRECTORY
@click.option(
    "--array",
    "jobs",
    type=click.IntRange(1),
    metavar="N",
    help="The run is shared by N jobs: name those with shards left.",
)
@FORMAT
def status(directory: Path, jobs: int | None, form: str) -> None:
    """Show the progress of a run.

    Prints the shards that are done, missing and failed, the speed, the time left, and with --array the jobs to run
    again.
    """
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
        click.echo(f"To run the jobs with shards left again: sbatch --array={facts['rerun_array']} SCRIPT")
    elif not facts["complete"]:
        click.echo("To compute the missing shards, give the same `gradsim run` command again.")


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
    """Print a table of cells: gain, dead fraction, phase.

    A row per cell; log_gain is the natural logarithm of the mean square of delta at layer 1 over that at the last
    layer, decades is log10 of the ratio of norms.

    The phase is critical if the 95 % interval of the quenched log_gain lies within ±ln 10: the squared gradient changes
    by less than a factor of 10, its norm by less than half a decade. It is vanishing or exploding if the interval lies
    beyond that margin, and - if it crosses it, or some networks are not finite.
    """
    from gradsim import runs
    from gradsim.report import text

    click.echo(text.render(runs.open(directory).summary(), form, text.SUMMARY_COLUMNS))


@click.command()
@_DIRECTORY
@click.option("--level", type=float, default=0.95, show_default=True, help="Coverage probability of the intervals.")
@FORMAT
def boundary(directory: Path, level: float, form: Any) -> None:
    """Print the phase boundary, compared with theory.

    A row per depth, other axes and kind (quenched, annealed, median): sigma_w between vanishing and exploding
    gradients with its interval, and the theory at infinite width: at this depth (theory), and the critical point, which
    is its limit for infinite depth (theory_inf). Cells near the boundary are critical: see gradsim summarize.
    """
    from gradsim import runs
    from gradsim.report import text

    click.echo(text.render(runs.open(directory).boundary(level), form, text.BOUNDARY_COLUMNS))


@click.command()
@_DIRECTORY
@click.option("--cell", "cells", type=int, multiple=True, help="Number of a cell; repeat for several.  [default: all]")
@click.option("--layer", type=int, multiple=True, help="Number of a layer, from 1; repeat for several.  [default: all]")
@click.option(
    "--quantity",
    multiple=True,
    shell_complete=completing(quantities),
    help="log_delta, log_weight_grad, log_q or log_gain; repeat for several.  [default: all]",
)
@FORMAT
def layers(
    directory: Path, cells: tuple[int, ...], layer: tuple[int, ...], quantity: tuple[str, ...], form: Any
) -> None:
    """Print the statistics of every layer.

    A row per cell, layer and quantity, in natural log: networks, dead, nonfinite; mean, std, se, min and max over live
    finite networks; quantiles with the dead as -inf.

    \b
      gradsim layers out/run --quantity log_gain --format csv > layers.csv
    """
    from gradsim import runs
    from gradsim.report import text
    from gradsim.sweep.model import AXES

    run = runs.open(directory)
    rows = run.layers(cells or None, layer or None, quantity or None)
    click.echo(text.render(run.cells()[["cell_id", *AXES]].merge(rows, on="cell_id"), form))
