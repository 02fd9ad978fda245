"""Batch scripts for Slurm: an array of jobs that share one run."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from string import Template

from gradsim.errors import SweepError
from gradsim.sweep.files import is_stream
from gradsim.system.streams import shell_join

_TIME = re.compile(r"[0-9]+(-[0-9]{1,2})?(:[0-9]{1,2}){0,2}")
_MEMORY = re.compile(r"[0-9]+[KMGT]?")
_NAME = re.compile(r"[A-Za-z0-9_.,:@+-]+")

SIGNAL_SECONDS = 60
"""Seconds before the time limit at which Slurm warns a job, which then stops and goes back into the queue."""
RESTARTS = 100
"""Most times that a job goes back into the queue by itself."""
MEMORY_PER_GPU = 8 * 2**30
"""Bytes on the host for each GPU: the driver, a second shard, and quantities of four blocks where they come back."""
SMALLEST_MEMORY = "2G"
"""Memory that every job asks for at least: compiling kernels takes more than a small sweep does."""


def memory_for(estimate: float) -> str:
    """Return the memory to ask for, as sbatch takes it: the estimate in bytes and a quarter more, at least 2 GiB.

    Examples
    --------
    >>> memory_for(7.2e9), memory_for(4e8)
    ('8584M', '2G')
    """
    mebibytes = ceil(1.25 * estimate / 2**20)
    return f"{mebibytes}M" if mebibytes > 2048 else SMALLEST_MEMORY


@dataclass(frozen=True)
class Resources:
    """What is requested for each job of the array.

    Attributes
    ----------
    array
        Number of jobs.
    cpus, gpus
        Cores and GPUs of a job; with GPUs it runs on these.
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
    gpus: int | None = None
    time: str = "04:00:00"
    memory: str = SMALLEST_MEMORY
    at_once: int | None = None
    partition: str | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        for field, value in (
            ("array", self.array),
            ("cpus", self.cpus),
            ("gpus", self.gpus),
            ("at_once", self.at_once),
        ):
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
    run single jobs again. It names this Python by its path, so that it needs nothing of the environment
    (``sbatch --export=NONE``). The shell waits for gradsim in the background, because it can take signals only then; it
    passes them on, and after the warning before the time limit it puts the job back into the queue.
    """
    path = Path(sweep)
    if is_stream(path):
        raise SweepError("sweep", sweep, "a file that all jobs can read, or a shipped sweep", "Save it in a file first")
    sweep = str(path.resolve()) if path.is_file() else sweep
    out = str(Path(out).resolve())
    options = (*options, *(["--device", "cuda"] if resources.gpus else []))
    gradsim = [sys.executable or "python3", "-P", "-m", "gradsim"]
    return _SCRIPT.substitute(
        directives=_directives(path.stem, resources),
        status=shell_join(["gradsim", "status", out]),
        array=resources.array,
        seconds=SIGNAL_SECONDS,
        restarts=RESTARTS,
        warmup=shell_join([*gradsim, "warmup", sweep, *_kernel_options(options)]),
        run=shell_join([*gradsim, "run", sweep, "--out", out, *options, "--no-plot", "--progress", "log"]),
    )


def _directives(stem: str, resources: Resources) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", stem)
    limit = f"%{resources.at_once}" if resources.at_once else ""
    directives = {
        "job-name": f"gradsim-{name}",
        "array": f"1-{resources.array}{limit}",
        "cpus-per-task": resources.cpus,
        "gpus": resources.gpus,
        "mem": resources.memory,
        "time": resources.time,
        "partition": resources.partition,
        "account": resources.account,
        "output": f"gradsim-{name}-%A_%a.log",
        "open-mode": "append",
        "signal": f"B:USR1@{SIGNAL_SECONDS}",
    }
    return "\n".join(f"#SBATCH --{key}={value}" for key, value in directives.items() if value is not None)


class _Template(Template):
    """Placeholders are written @name: the shell has its own use for the dollar sign."""

    delimiter = "@"


_SCRIPT = _Template("""\
#!/bin/bash
@directives
#SBATCH --requeue
set -uo pipefail

# Jobs with shards left: @status --array @array
# To stop a job early: scancel --batch --signal=TERM JOBID. Without --batch the signal does not reach this script.

# Slurm warns this shell with USR1 @seconds s before the time limit. The signal is passed on to gradsim, which stops
# within 2 s and can go on from there; then the job goes back into the queue, at most @restarts times.
stop= child= signals=0
pass_on() {
  stop=${stop:-$1} signals=$((signals + 1))
  echo "gradsim job: got SIG$1, stopping." >&2
  # Where Slurm preempts a job, TERM reaches gradsim too, which a second signal would end at once: it has 3 s to stop.
  [ "$1" = USR1 ] || for _ in {1..30}; do
    kill -0 "$child" 2>/dev/null || return
    sleep 0.1
  done
  kill -s "$1" "$child" 2>/dev/null
}
trap 'pass_on USR1' USR1
trap 'pass_on TERM' TERM INT

run() {
  local code=0 seen=-1
  "$@@" &
  child=$!
  [ -z "$stop" ] || kill -s "$stop" "$child"  # the signal came before the process
  while [ "$seen" -ne "$signals" ]; do  # a signal ends the wait, not the process
    seen=$signals
    wait "$child"
    code=$?
  done
  [ "$code" -eq 0 ] || finish "$code"
}

finish() {
  if [ "$stop" = USR1 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt @restarts ]; then
    echo "gradsim job: the time is over; this job goes back into the queue." >&2
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && exit 75
    echo "gradsim job: scontrol failed. Submit this job again: sbatch --array=$SLURM_ARRAY_TASK_ID SCRIPT" >&2
  fi
  [ -z "$stop" ] || exit 75
  exit "$1"
}

# Compiled kernels are kept on the node, shared by all jobs of this user there, not on the shared disk.
export GRADSIM_CACHE_DIR="${GRADSIM_CACHE_DIR:-${TMPDIR:-/tmp}/gradsim-$(id -un)}"
run @warmup
run @run --shard "$SLURM_ARRAY_TASK_ID/@array" --threads "${SLURM_CPUS_PER_TASK:-1}"
""")


def _kernel_options(options: tuple[str, ...]) -> list[str]:
    """The options of a run that choose its kernels."""
    names = [name for name in ("--method", "--dtype", "--device") if name in options]
    return [word for name in names for word in (name, options[options.index(name) + 1])]
