"""Turns at compiling: of processes that need the same kernel at once, one compiles it and the others wait for its file.

A turn is a lock on a file beside the kernel's, which ends with the process that holds it. Where files cannot be locked,
and after a long time, each compiles for itself: a turn saves time, and nothing depends on it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

LONGEST = 300.0
"""Seconds after which a process no longer waits."""

_PAUSE = 0.05


class Turn:
    """The turn at compiling one kernel: it is waited for when this is made, and ends with `end`.

    Parameters
    ----------
    path : Path
        Where the kernel will be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(".turn")
        self._descriptor: int | None = None
        if fcntl is None:
            return
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            self._wait()
        except OSError:
            self.end()

    def _wait(self) -> None:
        stop = time.monotonic() + LONGEST
        while self._descriptor is not None:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > stop:
                    raise
                time.sleep(_PAUSE)

    def end(self) -> None:
        """Let the next process have its turn."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)  # who waits for it holds it open, and finds the kernel
        self._close()

    def _close(self) -> None:
        """Close the file, once: after an interrupt here, the same number may be another file's."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self._close()
