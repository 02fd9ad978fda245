"""Estimates for a run, and scripts for batch systems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import SWEEP, changed, directory_of, override_options
from gradsim.system.streams import counted, say

if TYPE_CHECKING:
    from gradsim.sweep import Sweep


def echo_plan(sweep: Sweep, out: Path, placement: dict[str, Any]) -> None:
    """Print what a run would take: shards, time, disk, memory. Nothing is written."""
    from gradsim.dataset.dataset import Dataset
    from gradsim.engines.calibration import predicted_seconds
    from gradsim.errors import SweepError
    from gradsim.report import text
    from gradsim.simulation.partition import ALL, ShardPart
    from gradsim.simulation.plan import check_cap, plan
    from gradsim.simulation.processors import processor
    from gradsim.system.progress import duration
    from gradsim.system.threads import resolve_threads

    here = placement["device"] if placement["engine"] == "local" else "cpu"  # GPUs of workers cannot be timed from here
    count, device = resolve_threads(placement["threads"]), processor(here)
    part, work = ShardPart.parse(placement["shard"]), plan(sweep)
    found = Dataset.find(out, work)
    work = found.plan if found else work
    estimate, seconds = work.estimate(count), predicted_seconds(work, count, device)
    computes = device.name if device.streams else counted(count, "thread")
    rows = {
        "cells": f"{estimate.cells:,}",
        "shards": f"{estimate.shards:,}",
        "networks": f"{estimate.networks:,}",
        "normals": f"{estimate.normals:.3g} random numbers to draw",
        "time": f"about {duration(seconds)} on {computes} (from a measurement of 1 s)",
        "GPU-hours" if device.streams else "core-hours": f"{seconds * (device.gpus or count) / 3600:.3g}",
        "on disk": f"about {text.size(estimate.bytes)}",
        "files": f"{estimate.files:,}",
        "memory": f"about {text.size(estimate.peak_memory)} in one process",
    }
    if part != ALL:
        own = len(part.shards(estimate.shards))
        rows["part"] = f"{part}: {counted(own, 'shard')}, about {duration(seconds * own / estimate.shards)}"
    if found:
        rows["done"] = f"{counted(int(found.networks_done().sum()), 'network')} already; the time above is for all"
    for name, value in rows.items():
        click.echo(f"{name:10} {value}")
    mention_faster(sweep)
    try:
        check_cap(work)
    except SweepError as error:
        say(f"The run would be refused: {error}")


def mention_faster(sweep: Sweep) -> None:
    """Name the method that would be much faster, if there is one."""
    from gradsim_core.architectures import METHODS

    best = next(name for name in reversed(METHODS) if sweep.may_be(name))
    # The cells are all combinations of the axes, so the depths cancel in the ratio.
    methods = METHODS[sweep.method], METHODS[best]
    now, then = (method.cost * sum(map(method.normals, sweep.width)) for method in methods)
    if now >= 2 * then:
        say(
            f"Hint: --method {best} (with another --out) samples the same laws exactly without drawing weights, "
            f"about {now / then:.0f} times faster for this sweep."
        )


@click.group()
def submit() -> None:
    """Print a script for a batch system."""


@submit.command()
@SWEEP
@click.option("--array", type=int, required=True, metavar="N", help="Number of jobs in the array, which share the run.")
@click.option("--out", type=click.Path(), help="Directory of the dataset, on a shared disk.  [default: out/NAME]")
@click.option("--cpus", type=int, default=4, show_default=True, help="Cores of each job, all used as threads.")
@click.option("--gpus", type=int, help="GPUs of each job, which then computes on them.")
@click.option("--time", default="04:00:00", show_default=True, help="Time limit of each job.")
@click.option(
    "--memory", help="Memory limit of each job.  [default: the estimate of run --dry-run and a quarter, at least 2G]"
)
@click.option("--at-once", type=int, help="Greatest number of jobs that run at the same time.")
@click.option("--partition", help="Slurm partition.")
@click.option("--account", help="Slurm account.")
@click.option("--networks", type=int, help="Number of networks per cell, in place of the sweep's.")
@override_options
@click.option("--seed", type=int, help="Seed, in place of the sweep's.")
@click.option("--yes", is_flag=True, help="Confirm a sweep of more than 1e14 random numbers.")
def slurm(sweep: str, out: str | None, yes: bool, **options: Any) -> None:
    """Print a Slurm script: an array of jobs that share one run.

    SWEEP is a TOML file that all nodes see, or a shipped sweep.

    \b
      gradsim submit slurm sweep.toml --array 100 --out /scratch/me/run > job.sh
      sbatch job.sh
      gradsim status /scratch/me/run --array 100     what is left, and the jobs to run again
      sbatch --array=3,17-20 job.sh                  only these

    A job that reaches its time limit goes back into the queue by itself. To stop one early, so that it ends by itself:
    scancel --batch --signal=TERM JOBID.
    """
    from dataclasses import replace

    from gradsim.runs.slurm import MEMORY_PER_GPU, Resources, memory_for, script
    from gradsim.simulation.plan import check_cap, plan
    from gradsim.sweep import Sweep

    changes = {name: options.pop(name) for name in ("networks", "method", "dtype", "seed")}
    resources = Resources(**{name: value for name, value in options.items() if value is not None})
    work = plan(changed(Sweep.from_toml(sweep), changes))
    check_cap(work, yes=yes)
    if options["memory"] is None:
        needed = work.estimate(resources.cpus).peak_memory + MEMORY_PER_GPU * (resources.gpus or 0)
        resources = replace(resources, memory=memory_for(needed))
    words = [word for name, value in changes.items() if value is not None for word in (f"--{name}", str(value))]
    if resources.array > work.shard_count:
        say(
            f"The plan has only {counted(work.shard_count, 'shard')}: "
            f"some of the {resources.array:,} jobs have nothing to do. "
            "Use a smaller --array, or a smaller shard_size in the sweep."
        )
    click.echo(
        script(sweep, out or str(directory_of(sweep)), resources, (*words, *(["--yes"] if yes else []))), nl=False
    )
