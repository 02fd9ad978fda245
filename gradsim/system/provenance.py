"""Where a result came from: versions, platform and processor."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gradsim.errors import StorageError
from gradsim.system import filesystem
from gradsim.version import __version__

_PACKAGES = ("numpy", "numba", "llvmlite", "pyarrow", "pandas", "scipy")


@cache
def environment() -> dict[str, str]:
    """Return the versions of gradsim, Python and numerical packages, the platform and the processor, by name."""
    facts = {"python": platform.python_version(), "gradsim": __version__}
    for package in _PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "unknown"
    return facts | {"platform": platform.platform(), "cpu": cpu_name(), "cpus": str(os.cpu_count())}


def cpu_name() -> str:
    """Return the processor's name as the operating system reports it."""
    if sys.platform == "linux":
        try:
            text = (filesystem.read_bytes(Path("/proc/cpuinfo")) or b"").decode(errors="replace")
        except StorageError:
            text = ""
        for line in text.splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def now() -> datetime:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
