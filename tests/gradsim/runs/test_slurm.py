"""Slurm: parts of a plan from an array's variables, and scripts that a shell takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gradsim.errors import SweepError
from gradsim.runs.slurm import Resources, script
from gradsim.simulation.partition import ShardPart, ranges


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


STAND_IN = """#!/bin/bash
printf '%s\\n' "$0" "$@" "cache=$GRADSIM_CACHE_DIR" "pid=$$" >> "$LOG"
"""


@pytest.mark.parametrize("name", ["a\ntouch X #", "$(touch X)", "'; touch X; '", "a\r\ntouch X", "\x1b[2J"], ids=ascii)
def test_no_name_becomes_a_command(name: str) -> None:
    """Every line that holds the name is one command or one comment, whose words a shell reads back."""
    text = script(f"{name}.toml", name, Resources(array=8))
    assert all(character.isprintable() or character == "\n" for character in text)
    plain = script("plain.toml", "plain", Resources(array=8))
    assert [line.split()[:1] for line in text.splitlines()] == [line.split()[:1] for line in plain.splitlines()]


@pytest.mark.skipif(os.name == "nt", reason="needs bash")
def test_the_script_calls_what_it_says(tmp_path: Path) -> None:
    """Run by a shell, with a stand-in for gradsim that writes down its arguments."""
    folder = tmp_path / "with space and 'quote'"
    folder.mkdir()
    sweep = folder / "my sweep.toml"
    sweep.write_text("")
    text = script(str(sweep), str(folder / "out"), Resources(array=8, cpus=3), ("--method", "conditional"))
    (tmp_path / "gradsim").write_text(STAND_IN)
    (tmp_path / "gradsim").chmod(0o755)
    (tmp_path / "job.sh").write_text(text)
    log = tmp_path / "log"
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log), "TMPDIR": str(tmp_path), "USER": "me",
        "SLURM_ARRAY_TASK_ID": "5", "SLURM_CPUS_PER_TASK": "3",
    }  # fmt: skip
    job = subprocess.Popen(["bash", str(tmp_path / "job.sh")], env=environment)
    assert job.wait() == 0
    lines = log.read_text().splitlines()
    second = lines.index(str(tmp_path / "gradsim"), 1)
    assert lines[1 : second - 2] == ["warmup", str(sweep), "--method", "conditional"]
    assert lines[second + 1 : -2] == [
        "run", str(sweep), "--out", str(folder / "out"), "--method", "conditional", "--no-plot", "--progress", "log",
        "--shard", "5/8", "--threads", "3",
    ]  # fmt: skip
    assert lines[-2].startswith(f"cache={tmp_path}/gradsim-")
    assert lines[-1] == f"pid={job.pid}"  # exec: signals reach gradsim itself
    assert lines[second - 1] != lines[-1]


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
