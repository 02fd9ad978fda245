"""Moments of a run that a test waits for: seen, never guessed from a time."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

PATIENCE = 600
"""Seconds after which a test no longer waits for what must come: never reached if all is well."""

_LOOK_SECONDS = 0.01


def wait_until(seen: Callable[[], object], process: subprocess.Popen | None = None) -> None:
    """Wait until something is seen; fail where the process that is to bring it about has ended, or patience."""
    begin = time.monotonic()
    while not seen():
        assert process is None or process.poll() is None, f"ended with {process.returncode} before it was seen"
        assert time.monotonic() - begin < PATIENCE, "never seen"
        time.sleep(_LOOK_SECONDS)


def committed(out: Path) -> int:
    """The number of shards that are committed by now."""
    with suppress(FileNotFoundError):
        return len(os.listdir(out / "manifests"))
    return 0


def wait_for_commits(out: Path, count: int, process: subprocess.Popen | None = None) -> None:
    wait_until(lambda: committed(out) >= count, process)


def stop_after_commits(out: Path, count: int = 1) -> tuple[threading.Event, list[float]]:
    """An event that is set once so many shards are committed, and when that was, on the clock `time.monotonic`."""
    stop, moments = threading.Event(), []

    def look() -> None:
        wait_for_commits(out, count)
        moments.append(time.monotonic())
        stop.set()

    threading.Thread(target=look, daemon=True).start()
    return stop, moments


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """Wait until all processes have ended; a process that is left behind stays for good."""
    left = psutil.wait_procs(processes, timeout=PATIENCE)[1]
    assert not left, left


# Python imports it before anything else; the module that is named in the environment is announced as it begins.
_SITE = """
import os, sys

class Announcer:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["ANNOUNCED_MODULE"]:
            sys.meta_path.remove(self)
            os.write(1, b"importing\\n")
            while "HELD" in os.environ:
                os.read(0, 1)

sys.meta_path.insert(0, Announcer())
"""


def announcing(folder: Path, module: str, *, held: bool = False) -> dict[str, str]:
    """The environment of a Python process that writes a line as it begins to import a module, and may stay there."""
    (folder / "sitecustomize.py").write_text(_SITE)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "ANNOUNCED_MODULE": module} | ({"HELD": "1"} if held else {})
