"""Commands that simulate: run, warmup."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import PROGRESS, THREADS

if TYPE_CHECKING:
    from gradsim.runs import Run
    from gradsim.sweep import Sweep

_CONDITIONAL_COST = 1.4  # of a normal of the conditional sampler, in weights of explicit back-propagation


@click.command()
@click.argument("sweep", metavar="SWEEP")
@click.option("--out", type=click.Path(path_type=Path), help="Directory of the dataset.  [default: out/NAME]")
@click.option("--engine", default="local", show_default=True, help="Where shards are computed.")
@click.option("--device", default="cpu", show_default=True, help="What computes them.")
@THREADS
@click.option("--networks", type=int, help="Networks per cell, in place of the sweep's.")
@click.option("--method", help="Method, in place of the sweep's.")
@click.option("--dtype", help="float32 or float64, in place of the sweep's.")
@click.option("--seed", type=int, help="Seed, in place of the sweep's.")
@click.option("--dry-run", is_flag=True, help="Say what it would take, and write nothing.")
@click.option("--yes", is_flag=True, help="Run even a very large sweep.")
@click.option("--plot/--no-plot", default=True, help="Draw phase.png into the directory.  [default: plot]")
@PROGRESS
def run(
    sweep: str, out: Path | None, dry_run: bool, plot: bool, yes: bool, threads: int | None, **options: Any
) -> None:
    """Run SWEEP, a TOML file or the name of a shipped sweep, or what is left of it.

    The same command resumes a run that was stopped. Shipped sweeps: phase-tanh, phase-sigmoid, phase-relu.

    \b
    A sweep file:
      activation = ["tanh"]
      sigma_w = { start = 0.5, stop = 3.0, num = 26 }
      depth = [4, 8, 16, 32, 64]
      width = 64
      networks = 8192
      seed = 1
    """
    from gradsim import runs
    from gradsim.sweep import Sweep

    changes = {key: options[key] for key in ("networks", "method", "dtype", "seed") if options[key] is not None}
    wanted = Sweep.from_toml(sweep)
    wanted = wanted.replace(**changes) if changes else wanted
    out = out or Path("out") / Path(sweep).stem
    runs.check_where(options["engine"], options["device"])
    before, start = _networks_done(out, wanted), time.monotonic()
    if dry_run:
        _print_plan(wanted, threads, yes, before)
        return
    if before == 0:
        _mention_conditional(wanted)
    result = runs.run(
        wanted,
        out,
        engine=options["engine"],
        device=options["device"],
        threads=threads,
        progress=options["progress"],
        yes=yes,
    )
    computed = result.dataset.plan.networks - before
    if computed:
        click.echo(f"{computed:,} networks in {time.monotonic() - start:.1f} s, compilation included.\n")
    else:
        click.echo(f"{out} already holds this sweep, complete. Nothing was run.\n")
    _print_results(result, plot)


def _mention_conditional(sweep: Sweep) -> None:
    # Cells are all combinations of the axes, so that depth has no part in the ratio.
    faster = sum(width**2 for width in sweep.width) / (_CONDITIONAL_COST * sum(2 * width for width in sweep.width))
    if faster >= 2 and sweep.method == "explicit" and sweep.may_be_conditional:
        click.echo(
            f"These laws can be sampled without drawing weights: exact too, and about {faster:.0f} times faster here, "
            "with --method conditional and another --out.",
            err=True,
        )


def _networks_done(out: Path, sweep: Sweep) -> int:
    from gradsim.dataset import Dataset

    found = Dataset.find(out, sweep)
    return int(found.networks_done().sum()) if found else 0


def _print_results(result: Run, plot: bool) -> None:
    from gradsim import text

    summary, boundary = result.summary(), result.boundary()
    click.echo("Cells (log_gain of layer 1 over the last layer, natural log; decades of the norm)\n")
    click.echo(text.render(summary, "table", text.SUMMARY_COLUMNS))
    click.echo("\nBoundary between vanishing and exploding, with 95 % intervals, beside theory\n")
    click.echo(text.render(boundary, "table", text.BOUNDARY_COLUMNS))
    click.echo(f"\nDataset: {result.path}")
    if plot:
        from gradsim import plots

        try:
            plots.phase_diagram(summary, boundary, result.path / "phase.png")
        except (ImportError, OSError) as error:
            click.echo(f"No picture: {error}", err=True)
        else:
            click.echo(f"Picture: {result.path / 'phase.png'}")


def _print_plan(sweep: Sweep, threads: int | None, yes: bool, done: int) -> None:
    from gradsim import text
    from gradsim.engines.calibrate import predicted_seconds
    from gradsim.plan import check_cap, plan
    from gradsim.progress import duration
    from gradsim.threads import resolve_threads

    count, work = resolve_threads(threads), plan(sweep)
    check_cap(work, yes=yes)
    estimate = work.estimate()
    rows = {
        "cells": f"{estimate.cells:,}",
        "shards": f"{estimate.shards:,}",
        "networks": f"{estimate.networks:,}",
        "normals": f"{estimate.normals:.3g} random numbers to draw",
        "time": f"{duration(predicted_seconds(work, count))} on {count} threads (measured for 1 s)",
        "on disk": f"about {text.size(estimate.bytes)}",
        "memory": f"about {text.size(estimate.peak_memory)}",
    }
    if done:
        rows["done"] = f"{done:,} networks already: the time is for all"
    for name, value in rows.items():
        click.echo(f"{name:9} {value}")


@click.command()
@click.argument("sweep", metavar="SWEEP")
@click.option("--method", help="Method, in place of the sweep's.")
@click.option("--dtype", help="float32 or float64, in place of the sweep's.")
def warmup(sweep: str, **options: str | None) -> None:
    """Compile what SWEEP needs into the cache, so that runs start at once.

    The cache is in $GRADSIM_CACHE_DIR, else in the user's cache directory.
    """
    from gradsim.ensemble import warm_up
    from gradsim.sweep import Sweep
    from gradsim_core.jit import cache_directory

    changes = {key: value for key, value in options.items() if value is not None}
    start = time.monotonic()
    kernels = warm_up(Sweep.from_toml(sweep).replace(**changes))
    click.echo(f"{kernels} kernels are ready after {time.monotonic() - start:.1f} s, kept in {cache_directory()}")
