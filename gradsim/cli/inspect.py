"""Commands that read a run: status, summarize, boundary, layers."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from gradsim.cli.options import DIRECTORY, FORMAT, LEVEL, completing, quantities
from gradsim.cli.pictures import PICTURES, write_picture
from gradsim.cli.tables import show
from gradsim.system.signals import EXIT_STOPPED
from gradsim.system.streams import say

_WATCH_SECONDS = 10.0


@click.command()
@DIRECTORY
@click.option(
    "--array",
    "jobs",
    type=click.IntRange(1),
    metavar="N",
    help="The run is shared by N jobs: name those with shards left.",
)
@click.option("--check", is_flag=True, help="Exit with 75 if shards are missing, 4 if tables are missing or damaged.")
@click.option("--watch", is_flag=True, help="Show it again every 10 s until the run is complete; Ctrl-C ends it.")
@FORMAT
def status(directory: Path, jobs: int | None, check: bool, watch: bool, form: str) -> None:
    """Show the progress of a run.

    Prints the shards that are done, missing and failed, the speed, the time left, and with --array the jobs to run
    again. The exit code is 0 also for an unfinished run, unless --check is given.
    """
    from gradsim import runs
    from gradsim.runs.status import run_status

    dataset = runs.open(directory).dataset
    while True:
        facts = run_status(dataset, jobs)
        _show_status(dict(facts), form)
        if not watch or facts["complete"] or facts["shards_damaged"]:
            break
        click.echo()
        time.sleep(_WATCH_SECONDS)
    if check and not facts["complete"]:
        click.get_current_context().exit(4 if facts["shards_damaged"] else EXIT_STOPPED)


def _show_status(facts: dict[str, Any], form: str) -> None:
    import pandas as pd

    from gradsim.system.progress import duration

    if form != "table":
        show(pd.DataFrame([facts]), form)  # type: ignore[arg-type]
        return
    if facts["seconds_left"] is not None:
        facts["seconds_left"] = duration(facts["seconds_left"])
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name:18} {_word(value)}")
    if facts["shards_damaged"]:
        click.echo("Tables are missing or damaged: give `gradsim verify --repair DIR`, then the `gradsim run` command.")
    if facts["rerun_array"]:
        click.echo(f"To run the jobs with shards left again: sbatch --array={facts['rerun_array']} SCRIPT")
    elif facts["shards_missing"]:
        click.echo("To compute the missing shards, give the same `gradsim run` command again.")


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,}"
    return str(value) if len(str(value)) <= 80 else f"{str(value)[:77]}..."


@click.command()
@DIRECTORY
@LEVEL
@FORMAT
@click.option("--plot", is_flag=True, help="Draw spread.png and layers.png into the directory.")
def summarize(directory: Path, level: float, form: Any, plot: bool) -> None:
    """Print a table of cells: gain, its spread over networks, dead fraction, phase.

    A row per cell; log_gain is the natural logarithm of the mean square of delta at layer 1 over that at the last
    layer, decades is log10 of the ratio of norms. q05 and q95 are quantiles over networks, live_share is the share of
    networks whose gradient norm is within a decade. With --format csv or json each number has its interval.

    The phase is critical if the 95 % interval of the quenched log_gain lies within ±ln 10: the squared gradient changes
    by less than a factor of 10, its norm by less than half a decade. It is vanishing or exploding if the interval lies
    beyond that margin, and - if it crosses it, or some networks are not finite.

    With --plot, spread.png shows how the gain is spread in the cell whose median gain is nearest to 1, and layers.png
    the gradient through the layers of eight cells.
    """
    from gradsim import runs
    from gradsim.report import text

    run = runs.open(directory)
    show(run.summary(level), form, text.SUMMARY_COLUMNS)
    for name, draw in PICTURES.items() if plot else ():
        if path := write_picture(run, name, partial(draw, run)):
            say(f"Picture: {path}")  # standard output has the table alone


@click.command()
@DIRECTORY
@LEVEL
@click.option(
    "--kind", "kinds", multiple=True, default=("quenched", "annealed", "median"), show_default=True, metavar="KIND",
    help="Which boundary; also moment(s), decades(k). Repeat for several.",
)  # fmt: skip
@FORMAT
def boundary(directory: Path, level: float, kinds: tuple[str, ...], form: Any) -> None:
    """Print the phase boundary, compared with theory.

    A row per depth, other axes and kind: sigma_w between vanishing and exploding gradients with its interval, and the
    theory at infinite width: at this depth (theory), and the critical point, which is its limit for infinite depth
    (theory_inf). Cells near the boundary are critical: their gradient norm changes by less than half a decade.

    
    quenched      the mean of ln gain over live networks is 0: typical networks
    median        half of the networks gain, half lose
    annealed      the mean of the squared gain is 1, dead networks counted as 0: rare networks may make it up
    moment(s)     the mean of the s-th power of the gain of the norm is 1, 0 < s <= 2: annealed is s = 2
    decades(k)    the median gradient norm grows by k decades towards layer 1

    live_share is the share of networks near the boundary whose gradient norm is within a decade; where it is small,
    or the mean is made up by rare networks, reason says so.

    
      gradsim boundary out/run --kind quenched --kind "decades(1)" --kind "decades(-1)"
    """
    from gradsim import runs
    from gradsim.report import text

    show(runs.open(directory).boundary(level, kinds=kinds), form, text.BOUNDARY_COLUMNS)


@click.command()
@DIRECTORY
@click.option("--cell", "cells", type=int, multiple=True, help="Number of a cell; repeat for several.  [default: all]")
@click.option("--layer", type=int, multiple=True, help="Number of a layer, from 1; repeat for several.  [default: all]")
@click.option(
    "--quantity",
    multiple=True,
    shell_complete=completing(quantities),
    help="log_delta, log_weight_grad, log_q or log_gain; repeat for several.  [default: all]",
)
@LEVEL
@FORMAT
def layers(
    directory: Path, cells: tuple[int, ...], layer: tuple[int, ...], quantity: tuple[str, ...], level: float, form: Any
) -> None:
    """Print the statistics of every layer.

    A row per cell, layer and quantity, in natural log: networks, dead, nonfinite; mean, std, se, min and max over live
    finite networks; quantiles with the dead as -inf. With --format csv or json each number has its interval.

    \b
      gradsim layers out/run --quantity log_gain --format csv > layers.csv
    """
    from gradsim import runs
    from gradsim.sweep.columns import with_network_axes
    from gradsim.sweep.model import AXES

    run = runs.open(directory)
    rows = run.layers(cells or None, layer or None, quantity or None, level=level)
    known = run.cells()
    found = known[["cell_id", *with_network_axes(AXES, known)]].merge(rows, on="cell_id")
    shown = [name for name in map(str, found) if not name.endswith(("_low", "_high", "_fraction"))]
    show(found, form, shown)
