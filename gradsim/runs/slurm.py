"""Batch scripts for Slurm: an array of jobs that share one run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gradsim.errors import SweepError
from gradsim.sweep.files import is_stream
from gradsim.system.streams import shell_join

_TIME = re.compile(r"[0-9]+(-[0-9]{1,2})?(:[0-9]{1,2}){0,2}")
_MEMORY = re.compile(r"[0-9]+[KMGT]?")
_NAME = re.compile(r"[A-Za-z0-9_.,:@+-]+")

SIGNAL_SECONDS = 60
"""Seconds before the time limit at which Slurm warns a job, which then commits or drops its shard and exits."""


@dataclass(frozen=True)
class Resources:
    """What is requested for each job of the array.

    Attributes
    ----------
    array
        Number of jobs.
    cpus
        Cores of a job.
    time, memory
        Limits of a job, as sbatch takes them: ``"04:00:00"``, ``"2G"``.
    at_once
        Most jobs that run at the same time; None for no limit.
    partition, account
        Slurm's names; None for its defaults.

    Raises
    ------
    SweepError
        For a value that sbatch would refuse.
    """

    array: int
    cpus: int = 4
    time: str = "04:00:00"
    memory: str = "2G"
    at_once: int | None = None
    partition: str | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        for field, value in (("array", self.array), ("cpus", self.cpus), ("at_once", self.at_once)):
            if value is not None and value < 1:
                raise SweepError(field, value, "a whole number >= 1", "Write for example 16")
        for field, text, form, example in (
            ("time", self.time, _TIME, "04:00:00"),
            ("memory", self.memory, _MEMORY, "2G"),
            ("partition", self.partition, _NAME, "short"),
            ("account", self.account, _NAME, "physics"),
        ):
            if text is not None and not form.fullmatch(text):
                raise SweepError(field, text, "a value that sbatch takes", f"Write for example {example}")


def script(sweep: str, out: str, resources: Resources, options: tuple[str, ...] = ()) -> str:
    """Return a script for ``sbatch``.

    Parameters
    ----------
    sweep
        The path of the sweep file, which all jobs must see, or the name of a shipped sweep.
    out
        The directory of the run, on a disk that all nodes share.
    resources
        What is requested for each job.
    options
        Further options of ``gradsim run``, as a list of words.

    Notes
    -----
    The script has ``--shard $SLURM_ARRAY_TASK_ID/N`` instead of ``--shard auto``, so that ``sbatch --array=3,17`` can
    run single jobs again.
    """
    path = Path(sweep)
    if is_stream(path):
        raise SweepError("sweep", sweep, "a file that all jobs can read, or a shipped sweep", "Save it in a file first")
    sweep = str(path.resolve()) if path.is_file() else sweep
    out = str(Path(out).resolve())
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem)
    limit = f"%{resources.at_once}" if resources.at_once else ""
    directives = {
        "job-name": f"gradsim-{name}",
        "array": f"1-{resources.array}{limit}",
        "cpus-per-task": resources.cpus,
        "mem": resources.memory,
        "time": resources.time,
        "partition": resources.partition,
        "account": resources.account,
        "output": f"gradsim-{name}-%A_%a.log",
        "open-mode": "append",
        "signal": f"B:USR1@{SIGNAL_SECONDS}",
    }
    lines = [f"#SBATCH --{key}={value}" for key, value in directives.items() if value is not None]
    command = shell_join(["gradsim", "run", sweep, "--out", out, *options, "--no-plot", "--progress", "log"])
    return f"""#!/bin/bash
{chr(10).join(lines)}
#SBATCH --requeue
set -euo pipefail

# Compiled kernels are kept on the node, shared by all jobs of this user there, not on the shared disk.
export GRADSIM_CACHE_DIR="${{GRADSIM_CACHE_DIR:-${{TMPDIR:-/tmp}}/gradsim-$(id -un)}}"
gradsim warmup {shell_join([sweep, *_kernel_options(options)])}

# exec: the warning {SIGNAL_SECONDS} s before the end reaches gradsim itself, which exits with code 75.
# Jobs with shards left: {shell_join(["gradsim", "status", out])} --array {resources.array}
exec {command} --shard "$SLURM_ARRAY_TASK_ID/{resources.array}" --threads "${{SLURM_CPUS_PER_TASK:-1}}"
"""


def _kernel_options(options: tuple[str, ...]) -> list[str]:
    """The options of a run that choose its kernels."""
    names = [name for name in ("--method", "--dtype") if name in options]
    return [word for name in names for word in (name, options[options.index(name) + 1])]
