"""Slurm: parts of a plan from an array's variables, and scripts that a shell takes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gradsim.errors import SweepError
from gradsim.runs.slurm import Resources, script
from gradsim.simulation.partition import ShardPart, ranges
from gradsim.simulation.plan import plan
from gradsim.sweep import Sweep


def array(task: int, least: int, most: int, step: int = 1, count: int | None = None) -> dict[str, str]:
    found = {"ID": task, "MIN": least, "MAX": most, "STEP": step, "COUNT": count or (most - least) // step + 1}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (array(1, 1, 16), (1, 16)),
        (array(16, 1, 16), (16, 16)),
        (array(0, 0, 9), (1, 10)),
        (array(7, 3, 11, step=4), (2, 3)),
        (array(5, 5, 5), (1, 1)),
    ],
)
def test_auto(environment: dict[str, str], expected: tuple[int, int]) -> None:
    part = ShardPart.parse("auto", environment)
    assert (part.index, part.count) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_ARRAY_TASK_ID": "1"},
        array(3, 3, 40, count=3),  # --array=3,17,40
        array(17, 1, 16),
        array(4, 3, 11, step=4),
        {**array(1, 1, 16), "SLURM_ARRAY_TASK_ID": "one"},
        {**array(1, 1, 16), "SLURM_ARRAY_TASK_STEP": "0"},
    ],
)
def test_auto_is_refused_where_it_does_not_say_which_part(environment: dict[str, str]) -> None:
    with pytest.raises(SweepError, match="--shard i/n"):
        ShardPart.parse("auto", environment)


def test_parts_cover_the_plan_once() -> None:
    for count in (1, 2, 7, 100):
        taken = [index for i in range(1, count + 1) for index in ShardPart(i, count).shards(23)]
        assert sorted(taken) == list(range(23))


def test_ranges() -> None:
    assert ranges([]) == ""
    assert ranges([3, 17, 18, 19, 20, 22]) == "3,17-20,22"


@pytest.mark.parametrize("name", ["a\ntouch X #", "$(touch X)", "'; touch X; '", "a\r\ntouch X", "\x1b[2J"], ids=ascii)
def test_no_name_becomes_a_command(name: str) -> None:
    """Every line that holds the name is one command or one comment, whose words a shell reads back."""
    text = script(f"{name}.toml", name, Resources(array=8))
    assert all(character.isprintable() or character == "\n" for character in text)
    plain = script("plain.toml", "plain", Resources(array=8))
    assert [line.split()[:1] for line in text.splitlines()] == [line.split()[:1] for line in plain.splitlines()]


# In place of Python: writes down its arguments, then waits for a signal if it is the command that is to be held.
STAND_IN = f"""#!{sys.executable} -IS
import json, os, signal, sys
with open(os.environ["LOG"], "a") as log:
    print(json.dumps([*sys.argv[1:], os.environ["GRADSIM_CACHE_DIR"]]), file=log)
def stop(number, frame):
    os.write(1, b"stopped by %d\\n" % number)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, stop)
signal.signal(signal.SIGALRM, lambda number, frame: os._exit(75))
if os.environ.get("HELD") == sys.argv[4]:
    os.write(1, b"held\\n")  # a print could be interrupted by the signal, whose handler writes too
    while True:
        signal.pause()
os._exit(int(os.environ.get("CODE", "0")))
"""
SCONTROL = """#!/bin/bash
printf '%s\\n' "$*" >> "$LOG.scontrol"
exit "${SCONTROL:-0}"
"""


class Job:
    """A job script under a shell, with stand-ins for Python and scontrol; `write` gives it to a shell of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log = folder, folder / "log"
        for name, text in (("python", STAND_IN), ("scontrol", SCONTROL)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(folder / "python"))

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen:
        (self.folder / "job.sh").write_text(script(*arguments))  # type: ignore[arg-type]
        variables = {
            "PATH": f"{self.folder}:/usr/bin:/bin", "LOG": str(self.log), "TMPDIR": str(self.folder),
            "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "5", "SLURM_CPUS_PER_TASK": "3",
        }  # fmt: skip
        return subprocess.Popen(
            ["bash", str(self.folder / "job.sh")], env=variables | environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def requeued(self) -> str:
        requeues = self.folder / "log.scontrol"
        return requeues.read_text() if requeues.exists() else ""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    (tmp_path / "job").mkdir()
    return Job(tmp_path / "job", monkeypatch)


posix = pytest.mark.skipif(os.name == "nt", reason="needs bash")


@posix
def test_the_script_calls_what_it_says(tmp_path: Path, job: Job) -> None:
    """Nothing of the environment is needed but what Slurm sets itself, as with `sbatch --export=NONE`."""
    folder = tmp_path / "with space and 'quote'"
    folder.mkdir()
    sweep = folder / "my\nsweep.toml"
    sweep.write_text("")
    process = job.start(str(sweep), str(folder / "out"), Resources(array=8, cpus=3), ("--method", "conditional"))
    assert (process.communicate(), process.returncode) == (("", ""), 0)
    warmup, run = job.calls()
    assert warmup[:-1] == ["-P", "-m", "gradsim", "warmup", str(sweep), "--method", "conditional"]
    assert run[:-1] == [
        "-P", "-m", "gradsim", "run", str(sweep), "--out", str(folder / "out"), "--method", "conditional", "--no-plot",
        "--progress", "log", "--shard", "5/8", "--threads", "3",
    ]  # fmt: skip
    assert warmup[-1] == run[-1]
    assert run[-1].startswith(f"{job.folder}/gradsim-")
    assert job.requeued() == ""


@posix
@pytest.mark.parametrize("held", ["warmup", "run"])
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_reaches_gradsim(job: Job, held: str, number: signal.Signals) -> None:
    """After the warning before the time limit the job goes back into the queue; otherwise it only stops."""
    process = job.start("phase-tanh", "out", Resources(array=8), HELD=held)
    assert process.stdout.readline() == "held\n"
    process.send_signal(number)
    out, said = process.communicate()
    assert (out, process.returncode) == (f"stopped by {number:d}\n", 75), said
    assert said.startswith(f"gradsim job: got {number.name}, stopping.\n")
    assert [call[3] for call in job.calls()] == ["warmup", "run"][: 1 + (held == "run")]
    assert job.requeued() == ("requeue 77_5\n" if number == signal.SIGUSR1 else "")
    assert ("goes back into the queue" in said) == (number == signal.SIGUSR1)


@posix
def test_a_signal_to_all_processes_reaches_gradsim_once(job: Job) -> None:
    """As where Slurm preempts a job: a second one would end gradsim at once."""
    process = job.start("phase-tanh", "out", Resources(array=8), HELD="run")
    assert process.stdout.readline() == "held\n"
    os.killpg(process.pid, signal.SIGTERM)
    out, said = process.communicate()
    assert (out, process.returncode, job.requeued()) == (f"stopped by {signal.SIGTERM:d}\n", 75, ""), said


@posix
@pytest.mark.parametrize(
    ("environment", "requeued", "said"),
    [({"SLURM_RESTART_COUNT": "100"}, "", "got SIGUSR1"), ({"SCONTROL": "1"}, "requeue 77_5\n", "sbatch --array=5 ")],
    ids=["often enough", "refused"],
)
def test_a_job_that_is_not_put_back(job: Job, environment: dict[str, str], requeued: str, said: str) -> None:
    process = job.start("phase-tanh", "out", Resources(array=8), HELD="run", **environment)
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGUSR1)
    assert said in process.communicate()[1]
    assert (process.returncode, job.requeued()) == (75, requeued)


@posix
@pytest.mark.parametrize("code", [2, 3, 5])
def test_an_error_ends_the_job_with_its_code(job: Job, code: int) -> None:
    process = job.start("phase-tanh", "out", Resources(array=8), CODE=str(code))
    process.communicate()
    assert (process.returncode, len(job.calls()), job.requeued()) == (code, 1, "")


def test_memory_is_that_of_the_estimate(call, tmp_path: Path) -> None:
    deep = tmp_path / "deep.toml"
    deep.write_text('activation = "tanh"\nsigma_w = 1.5\ndepth = 100_000\nwidth = 16\nnetworks = 1000\nseed = 1\n')
    arguments = ("submit", "slurm", deep, "--array", "2", "--cpus", "2")
    wanted = plan(Sweep.from_toml(deep)).estimate(2).peak_memory
    asked = re.search("--mem=([0-9]+)M\n", call(*arguments)[1])
    assert 1.2 * wanted <= int(asked[1]) * 2**20 <= 1.3 * wanted
    assert "--mem=3G\n" in call(*arguments, "--memory", "3G")[1]
    assert "--mem=2G\n" in call("submit", "slurm", "phase-tanh", "--array", "2")[1]


def test_directives() -> None:
    text = script("phase-tanh", "out", Resources(array=8, at_once=4, partition="short", account="lab"))
    directives = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]
    for expected in ("--array=1-8%4", "--cpus-per-task=4", "--signal=B:USR1@60", "--requeue", "--partition=short"):
        assert expected in directives
    lines = text.splitlines()
    last = max(i for i, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert not any(line and not line.startswith("#") for line in lines[: last + 1])  # sbatch reads none after a command


@pytest.mark.parametrize(
    "wrong",
    [{"array": 0}, {"cpus": 0}, {"time": "soon"}, {"memory": "lots"}, {"partition": "a\n#SBATCH --x"}, {"at_once": 0}],
    ids=str,
)
def test_what_sbatch_would_not_take(wrong: dict) -> None:
    with pytest.raises(SweepError, match=next(iter(wrong))):
        Resources(**{"array": 8, **wrong})
