"""Commands that simulate: run, warmup."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gradsim.cli import submit
from gradsim.cli.messages import error_event
from gradsim.cli.options import PROGRESS, SWEEP, THREADS, changed, override_options
from gradsim.system.signals import leave

if TYPE_CHECKING:
    import pandas as pd

    from gradsim.errors import GradsimError
    from gradsim.runs import Run
    from gradsim.sweep import Sweep
    from gradsim.system.signals import StopSignals

_CONDITIONAL_COST = 1.4  # of a normal of the conditional sampler, in weights of explicit back-propagation


@click.command()
@SWEEP
@click.option("--out", type=click.Path(path_type=Path), help="Directory of the dataset.  [default: out/NAME]")
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="E",
    help="Where shards are computed: local, dask-local:N (N processes here) or dask://HOST:PORT.",
)
@click.option("--device", default="cpu", show_default=True, help="What computes them.")
@THREADS
@click.option(
    "--shard", default="1/1", metavar="I/N",
    help="Run the I-th of N parts; auto: as the Slurm array job says.  [default: all]",
)  # fmt: skip
@click.option("--networks", type=int, help="Networks per cell, in place of the sweep's.")
@override_options
@click.option("--seed", type=int, help="Seed, in place of the sweep's.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and write nothing.")
@click.option("--yes", is_flag=True, help="Run even a very large sweep.")
@click.option("--plot/--no-plot", default=True, help="Draw phase.png into the directory.  [default: plot]")
@PROGRESS
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: every event as a line of JSON on standard error, in place of a bar or a log.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def run(
    sweep: str, out: Path | None, dry_run: bool, plot: bool, yes: bool, quiet: bool, log_format: str, **options: Any
) -> None:
    """Run SWEEP, a TOML file or the name of a shipped sweep, or what is left of it.

    The same command resumes a run that was stopped. SIGTERM, SIGUSR1 or Ctrl-C stop it at the next block, a second one
    at once. Jobs that share a run: --shard 1/16 … 16/16, see gradsim submit slurm. Shipped sweeps: phase-tanh,
    phase-sigmoid, phase-relu.

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
    out, start = out or Path("out") / Path(sweep).stem, time.monotonic()
    placement = {name: options[name] for name in ("engine", "device", "threads", "shard")}
    with signals.gracefully():
        from gradsim import runs
        from gradsim.errors import GradsimError
        from gradsim.sweep import Sweep

        try:
            wanted = changed(Sweep.from_toml(sweep), options)
            runs.check_engine(placement["engine"], placement["device"])
            if dry_run:
                submit.echo_plan(wanted, out, placement["threads"], placement["shard"])
                return
            if not quiet and mode != "json":
                _mention_conditional(wanted, out)
            result = runs.run(wanted, out, **placement, progress=mode, yes=yes, stop=signals.event)
        except GradsimError as error:
            _end(error, mode, signals)
        if not quiet:
            _print_results(result, plot, time.monotonic() - start)


def _end(error: GradsimError, mode: str, signals: StopSignals) -> NoReturn:
    """Say what was wrong and leave with the error's exit code."""
    from gradsim.errors import Interrupted

    if mode == "json":
        click.echo(error_event(type(error).__name__, str(error)), err=True)
    else:
        click.echo(f"gradsim: {error}", err=True)
        if isinstance(error, Interrupted):
            click.echo(signals.resume, err=True)
    if signals.event.is_set():
        leave(error.exit_code)
    raise click.exceptions.Exit(error.exit_code)


def _mention_conditional(sweep: Sweep, out: Path) -> None:
    from gradsim.dataset.directory import has_dataset

    if has_dataset(out):
        return
    # Cells are all combinations of the axes, so that depth has no part in the ratio.
    faster = sum(width**2 for width in sweep.width) / (_CONDITIONAL_COST * sum(2 * width for width in sweep.width))
    if faster >= 2 and sweep.method == "explicit" and sweep.may_be_conditional:
        click.echo(
            f"These laws can be sampled without drawing weights: exact too, and about {faster:.0f} times faster here, "
            "with --method conditional and another --out.",
            err=True,
        )


def _print_results(result: Run, plot: bool, seconds: float) -> None:
    from gradsim.report import text

    if result.computed:
        click.echo(f"{result.computed:,} networks in {seconds:.1f} s, compilation included.\n")
    elif result.complete:
        click.echo(f"{result.path} already holds this sweep, complete. Nothing was run.\n")
    if not result.complete:
        dataset = result.dataset
        click.echo(
            f"This part is done; {len(dataset.missing()):,} of {dataset.plan.shard_count:,} shards of the run are "
            f"missing. `gradsim status {shlex.quote(str(result.path))}` says which."
        )
        return
    summary, boundary = result.summary(), result.boundary()
    click.echo("Cells (log_gain of layer 1 over the last layer, natural log; decades of the norm)\n")
    click.echo(text.render(summary, "table", text.SUMMARY_COLUMNS))
    click.echo("\nBoundary between vanishing and exploding, with 95 % intervals, beside theory\n")
    click.echo(text.render(boundary, "table", text.BOUNDARY_COLUMNS))
    click.echo(f"\nDataset: {result.path}")
    if plot:
        _draw(result, summary, boundary)


def _draw(result: Run, summary: pd.DataFrame, boundary: pd.DataFrame) -> None:
    from gradsim.errors import GradsimError
    from gradsim.report import plots
    from gradsim.system import filesystem

    path = result.path / "phase.png"
    try:
        with TemporaryDirectory() as folder:
            data = plots.phase_diagram(summary, boundary, Path(folder) / path.name).read_bytes()
        filesystem.replace(result.path / "tmp", path, data)
    except (ImportError, OSError, GradsimError) as error:
        click.echo(f"No picture: {error}", err=True)
    else:
        click.echo(f"Picture: {path}")


@click.command()
@SWEEP
@override_options
def warmup(sweep: str, **options: str | None) -> None:
    """Compile what SWEEP needs into the cache, so that runs start at once.

    The cache is in $GRADSIM_CACHE_DIR, else in the user's cache directory.
    """
    from gradsim.simulation.blocks import warm_up
    from gradsim.sweep import Sweep
    from gradsim_core.jit import cache_directory

    start = time.monotonic()
    kernels = warm_up(changed(Sweep.from_toml(sweep), options))
    click.echo(f"{kernels} kernels are ready after {time.monotonic() - start:.1f} s, kept in {cache_directory()}")
