"""The quota of processor time that a container or a batch system gives this process (Linux control groups)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_MEMBERSHIP, _MOUNT = "proc/self/cgroup", "sys/fs/cgroup"


def cpu_quota(root: Path = Path("/")) -> float:
    """Return the number of processors that this process may keep busy on average; infinite without a quota.

    Each group limits the groups inside it, so the smallest quota counts, in both versions of the interface:
    https://docs.kernel.org/admin-guide/cgroup-v2.html (``cpu.max``) and
    https://docs.kernel.org/scheduler/sched-bwc.html (``cpu.cfs_quota_us``).

    Parameters
    ----------
    root
        Directory that holds ``proc`` and ``sys``.
    """
    return min((quota for group in _groups(root) for quota in _quotas(group)), default=math.inf)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the directories of this process's groups, those around them, and the mounts.

    In a container the path may be that of the host, which is not there; the mount is then the container's group.
    """
    for line in _read(root / _MEMBERSHIP).splitlines():
        _, controllers, path = line.split(":", 2)
        names = ["", "cpu", controllers] if "cpu" in controllers.split(",") else [""] if not controllers else []
        inside = PurePosixPath(path.lstrip("/"))
        for name in names:
            for group in (inside, *inside.parents):
                yield root / _MOUNT / name / group


def _quotas(group: Path) -> Iterator[float]:
    version_2 = _read(group / "cpu.max").split()
    version_1 = [_read(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    for time, period in (pair for pair in (version_2, version_1) if len(pair) == 2):
        with suppress(ValueError, ZeroDivisionError):  # "max", or no such file
            if int(time) > 0:  # -1 is none
                yield int(time) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
