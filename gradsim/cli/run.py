"""Commands that simulate: run, warmup."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli import submit
from gradsim.cli.options import (
    DEVICE,
    ENGINE,
    PROGRESS,
    SWEEP,
    THREADS,
    changed,
    completing,
    directory_of,
    override_options,
)
from gradsim.cli.pictures import growth_png, phase_png, presets_png, write_picture
from gradsim.cli.tables import show
from gradsim.system.streams import counted, shell_join

if TYPE_CHECKING:
    from gradsim.runs import Run
    from gradsim.system.signals import StopSignals


@click.command()
@SWEEP
@click.option("--out", type=click.Path(path_type=Path), help="Directory of the dataset.  [default: out/NAME]")
@ENGINE
@DEVICE
@THREADS
@click.option(
    "--shard", default="1/1", metavar="I/N", shell_complete=completing(lambda: ("auto",)),
    help="Compute the I-th of N parts; auto takes I and N from the Slurm array job.  [default: all]",
)  # fmt: skip
@click.option("--networks", type=int, help="Number of networks per cell, in place of the sweep's.")
@override_options
@click.option("--seed", type=int, help="Seed, in place of the sweep's.")
@click.option("--dry-run", is_flag=True, help="Print estimates of time, disk and memory; write nothing.")
@click.option("--yes", is_flag=True, help="Confirm a sweep of more than 1e14 random numbers.")
@click.option(
    "--plot/--no-plot", default=True, help="Draw the phase diagram, phase.png, into the directory.  [default: plot]"
)
@PROGRESS
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json writes each event as a line of JSON on standard error, instead of a bar or a log.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def run(
    sweep: str, out: Path | None, dry_run: bool, plot: bool, yes: bool, quiet: bool, log_format: str, **options: Any
) -> None:
    """Simulate a sweep, or resume one that was stopped.

    SWEEP is a TOML file or a shipped sweep: phase-tanh, phase-sigmoid, phase-relu. It prints the table of cells and the
    phase boundary. Ctrl-C, SIGTERM or SIGUSR1 stop the run at the next block, a second signal at once; the same command
    resumes it. Several jobs can share a run: --shard 1/16 … 16/16, see gradsim submit slurm.

    \b
    A sweep file:
      activation = ["tanh"]
      sigma_w = { start = 0.5, stop = 3.0, num = 26 }
      depth = [4, 8, 16, 32, 64]
      width = 64
      networks = 8192
      seed = 1
    """
    signals: StopSignals = click.get_current_context().obj
    mode: Any = "json" if log_format == "json" else "none" if quiet else options["progress"]
    start = time.monotonic()
    placement = {name: options[name] for name in ("engine", "device", "threads", "shard")}
    with signals.gracefully():
        from gradsim import runs
        from gradsim.sweep import Sweep
        from gradsim.sweep.files import is_stream

        out = out or directory_of(sweep)
        if is_stream(sweep):  # the name that the shell gave to a pipe is of no use later
            signals.resume = "Resume with the same command."
        wanted = changed(Sweep.from_toml(sweep), options)
        runs.check_placement(**placement)
        if dry_run:
            submit.echo_plan(wanted, out, placement)
            return
        result = runs.run(wanted, out, **placement, progress=mode, yes=yes, stop=signals.event)
        if not quiet:
            _print_results(result, plot, time.monotonic() - start)
            if result.computed and mode != "json":
                submit.mention_faster(wanted)


def _print_results(result: Run, plot: bool, seconds: float) -> None:
    from gradsim.analysis.crossings import FEWEST_CELLS
    from gradsim.report import text

    if result.computed:
        click.echo(f"{counted(result.computed, 'network')} in {seconds:.1f} s, compilation included.\n")
    elif result.complete:
        click.echo(f"{result.path} already holds the complete sweep; nothing was computed.\n")
    if not result.complete:
        shards, missing = counted(result.dataset.plan.shard_count, "shard"), len(result.dataset.missing())
        status = shell_join(["gradsim", "status", str(result.path)])
        click.echo(
            f"This part is done; of {shards} of the run {missing:,} must still be computed. `{status}` lists them."
        )
        return
    summary = result.summary()
    click.echo(
        "Cells (log_gain: ln of the squared gradient of layer 1 over the last layer; decades: log10 of the norm)\n"
    )
    show(summary, "table", text.SUMMARY_COLUMNS)
    if result.sweep.network_axes and len(result.sweep.sigma_w) < FEWEST_CELLS:
        click.echo("\nGain by depth: decades of the median norm of the gradient, last layer to first, and theory\n")
        show(result.growth(summary), "table", text.GROWTH_COLUMNS)
        by_preset = "preset" in result.sweep.network_axes
        name, draw = ("presets.png", presets_png) if by_preset else ("growth.png", growth_png)
        picture = partial(draw, result)
    else:
        boundary = result.boundary(summary=summary)
        click.echo("\nBoundary between vanishing and exploding gradients, with 95 % intervals and theory\n")
        show(boundary, "table", text.BOUNDARY_COLUMNS)
        name, picture = "phase.png", partial(phase_png, summary, boundary)
    click.echo(f"\nDataset: {result.path}")
    if plot and (path := write_picture(result, name, picture)):
        click.echo(f"Picture: {path}")


@click.command()
@SWEEP
@DEVICE
@override_options
def warmup(sweep: str, device: str, **options: str | None) -> None:
    """Compile the kernels of a sweep in advance.

    Runs of SWEEP then start at once. Compiled kernels are kept in $GRADSIM_CACHE_DIR, else in the user's cache
    directory.
    """
    from gradsim.simulation.devices import check_device
    from gradsim.simulation.processors import processor, warm_up
    from gradsim.sweep import Sweep
    from gradsim_core.caching.folder import cache_directory

    start = time.monotonic()
    check_device(device)
    kernels = warm_up(changed(Sweep.from_toml(sweep), options), processor(device))
    place = cache_directory() or "memory only"
    click.echo(f"{counted(kernels, 'kernel')} ready after {time.monotonic() - start:.1f} s, cached in {place}")
