"""Part: NVIDIA's own checks of memory, races and barriers, and its profiler, on this program in other processes."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.gpu.lab import again
from bench.gpu.processes import Ended, run_all
from bench.gpu.record import Bench

CHECKS = ("memcheck", "racecheck", "synccheck")
METRICS = (
    "smsp__issue_active.avg.pct_of_peak_sustained_active",
    "sm__inst_executed_pipe_alu.avg.pct_of_peak_sustained_active",
    "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active",
    "sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_active",
    "sm__warps_active.avg.pct_of_peak_sustained_active",
    "smsp__inst_executed.sum",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed",
    "l1tex__throughput.avg.pct_of_peak_sustained_active",
)
_FOUND = 9  # exit code of compute-sanitizer where it finds something
_SHARE = 0.6  # of the part's time, for the checks


def find_program(name: str) -> str | None:
    """A program of CUDA's, from the path or from where it is usually installed."""
    usual = sorted(Path("/usr/local").glob(f"cuda*/bin/{name}"))
    return shutil.which(name) or (str(usual[-1]) if usual else None)


def check_commands(program: str, folder: Path) -> dict[str, list[str]]:
    """A small run under each check."""
    options = ["--error-exitcode", str(_FOUND)]
    return {
        name: [program, "--tool", name, *options, *again("--small", "--json", str(folder / f"{name}.json"))]
        for name in CHECKS
    }


def profile_commands(program: str) -> dict[str, list[str]]:
    """The first kernel of a block of each method under the profiler, at the clock that the GPU has."""
    options = ["--clock-control", "none", "--kernel-name", "kernel", "--launch-count", "1"]
    return {
        method: [program, *options, "--metrics", ",".join(METRICS), *again("--probe", method)]
        for method in ("conditional", "explicit")
    }


def metrics_in(output: str) -> dict[str, float]:
    """The profiler's figures by their names."""
    found = {}
    for name in METRICS:
        row = re.search(rf"{re.escape(name)}\s+\S+\s+([\d,.]+)", output)
        if row:
            found[name] = float(row[1].replace(",", ""))
    return found


def checked(ended: Ended) -> dict[str, Any]:
    """What a check says."""
    summary = [line for line in ended.output.splitlines() if "SUMMARY" in line]
    told: dict[str, Any] = {"code": ended.code, "seconds": ended.seconds, "summary": summary}
    return told if ended.code == 0 else {**told, "output": ended.output[-2000:]}


def tools(bench: Bench) -> None:
    """Part: run whatever is there."""
    found = bench.part("tools")
    sanitizer, profiler = find_program("compute-sanitizer"), find_program("ncu")
    found["compute-sanitizer"], found["ncu"] = sanitizer or "not there", profiler or "not there"
    if sanitizer:
        seconds = bench.clock.left_of_part * (_SHARE if profiler else 1.0)
        with tempfile.TemporaryDirectory() as folder:
            ended = run_all(check_commands(sanitizer, Path(folder)), seconds, len(CHECKS))
        for name, each in ended.items():
            found[name] = checked(each)
            if each.code != 0:
                bench.report.problems[name] = f"exit code {each.code} after {each.seconds} s: {each.output[-500:]}"
        bench.report.save()
    if profiler:
        for name, each in run_all(profile_commands(profiler), bench.clock.left_of_part, 1).items():
            found[f"ncu {name}"] = metrics_in(each.output) or {"output": each.output[-2000:], "code": each.code}
