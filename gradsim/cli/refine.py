"""The command `refine`: more networks where the boundaries lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import DEVICE, DIRECTORY, ENGINE, FORMAT, LEVEL, PROGRESS, THREADS
from gradsim.cli.tables import show
from gradsim.system.signals import EXIT_STOPPED
from gradsim.system.streams import counted, say

if TYPE_CHECKING:
    from gradsim.dataset.dataset import Dataset
    from gradsim.runs.refining import Aim, Precision
    from gradsim.system.signals import StopSignals


@click.command()
@DIRECTORY
@click.option(
    "--target", type=float, required=True, help="Half the width of each boundary's interval to be reached, in sigma_w."
)
@click.option(
    "--kind", "kinds", multiple=True, default=("quenched",), show_default=True, metavar="KIND",
    help="Which boundary, as for gradsim boundary. Repeat for several.",
)  # fmt: skip
@LEVEL
@ENGINE
@DEVICE
@THREADS
@click.option(
    "--dry-run", is_flag=True, help="Print the boundaries and about how many networks it takes; write nothing."
)
@click.option("--yes", is_flag=True, help="Confirm more than 1e14 random numbers in all.")
@PROGRESS
@FORMAT
def refine(directory: Path, target: float, kinds: tuple[str, ...], level: float, form: str, **options: Any) -> None:
    """Narrow the intervals of the boundaries of a run.

    Adds a cell at each boundary, and networks to the cells about it, until half the width of its interval is at most
    --target, and so spends its work where the boundary is: a uniform grid of the same precision takes several times
    the networks.

    The directory stays a dataset of the same sweep. What is added is an extension, a numbered file in DIR/extensions;
    cells and networks that there are keep their numbers. Shards that are missing are computed first. Ctrl-C stops it;
    the same command goes on, with any engine, and the numbers are the same.

    Boundaries that are not there or not to be trusted are left out, and reason says why. Exit code 75 if a boundary did
    not reach the target; the same command goes on.

    \b
      gradsim run phase-tanh --out out/run
      gradsim refine out/run --target 0.005 --dry-run     how many networks it takes
      gradsim refine out/run --target 0.005
      gradsim boundary out/run --kind quenched
    """
    signals: StopSignals = click.get_current_context().obj
    with signals.gracefully():
        from gradsim import runs
        from gradsim.runs.computing import Means
        from gradsim.runs.refining import Aim
        from gradsim.runs.refining import refine as refined

        aim, dry = Aim(target, kinds, level), options.pop("dry_run")
        aim.check()
        dataset = runs.open(directory).dataset
        if dry:
            _echo_plan(dataset, aim, form)
            return
        _, computed, found = refined(dataset, aim, Means(**options, stop=signals.event))
        _echo(found, form)
        if form == "table":
            say(f"{counted(computed, 'network')} computed by this command.")
        if not found.reached:
            say(_why_not(found))
            click.get_current_context().exit(EXIT_STOPPED if found.refinable else 0)


def _why_not(found: Precision) -> str:
    if not found.refinable:
        return "No boundary can be refined; reason says why."
    return "A boundary has not reached the target. Give the same command again to go on, or take a larger target."


def _echo(found: Precision, form: Any) -> None:
    from gradsim.report import text

    show(found.table, form, text.PRECISION_COLUMNS)
    if form == "table" and found.refinable:
        ratio = found.uniform_networks / found.networks
        click.echo(
            f"\n{counted(found.networks, 'network')} in the cells of these boundaries "
            f"({counted(found.rounds, 'extension')} of the sweep); a uniform grid of the same precision would take "
            f"about {found.uniform_networks:,}, {ratio:.2g} times as many: an estimate from the noise alone."
        )


def _echo_plan(dataset: Dataset, aim: Aim, form: Any) -> None:
    """Print the boundaries as they are, and an estimate of what it takes to reach the target. Nothing is written."""
    from gradsim.runs.refining import Tables, precision, wanted

    missing = len(dataset.missing())
    known = Tables.of(dataset, aim)
    more = wanted(known, aim, stage=float("inf"))
    _echo(precision(dataset, aim, known), form)
    if missing:
        say(f"{counted(missing, 'shard')} must be computed first: `gradsim refine` does that, and then decides.")
    elif form == "table":
        click.echo(
            f"To reach ± {aim.target:g}: about {counted(more.total, 'network')} more, in one or more extensions."
        )
