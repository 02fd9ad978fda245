"""Part: what everything runs on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.gpu.record import Report
from gradsim_core.caching.folder import cache_directory

PACKAGES = (
    "numba", "llvmlite", "numpy", "torch", "cuda-core", "cuda-bindings", "cuda-pathfinder", "pandas", "pydantic"
)  # fmt: skip
QUERY = "name,driver_version,memory.total,clocks.sm,clocks.max.sm,clocks.mem,power.limit,temperature.gpu,compute_mode"


def installed(name: str) -> str:
    """A package's version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not there"


def processor() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def nvidia_smi() -> dict[str, str] | str:
    """What nvidia-smi says of the first GPU."""
    command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not there: {error}"
    values = said.stdout.strip().split("\n")[0].split(", ")
    return dict(zip(QUERY.split(","), values, strict=False)) if said.returncode == 0 else said.stdout + said.stderr


def cuda_package() -> dict[str, str]:
    """Where the packages that reach the driver were found, or why not."""
    try:
        import cuda.core
        from cuda import bindings
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"cuda.core": str(cuda.core.__file__), "cuda.bindings": str(bindings.__file__)}


def machine(report: Report) -> None:
    """Note all facts that need no GPU."""
    report.parts["machine"] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "packages": {name: installed(name) for name in PACKAGES},
        "cuda": cuda_package(),
        "nvidia-smi": nvidia_smi(),
        "cache": str(cache_directory()),
    }


def gpu(report: Report, lab: Any) -> None:
    """Note the GPU as its driver describes it."""
    from gradsim_core.cuda import driver

    facts = {**lab.facts._asdict(), "multiprocessors": lab.multiprocessors}
    try:
        facts["driver"] = driver.driver_version()
    except Exception as error:
        facts["driver"] = str(error)
    report.parts["gpu"] = facts
