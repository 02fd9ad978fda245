"""Signals that ask the program to stop: a run stops at its next block, anything else at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn

GRACE_SECONDS = 1.5
"""How long a run may take to stop by itself: a commit under way is finished where that is quick."""

EXIT_STOPPED = 75
_NAMES = ("SIGTERM", "SIGINT", "SIGUSR1")  # Slurm, people, Slurm's warning before the time is over


class StopSignals:
    """Handles this process's signals between `listen` and `release`.

    Nothing on the disk needs tidying up when the process ends, so it can leave at any moment, also while it imports:
    with exit code 75. Inside `gracefully` the first signal only sets `event`, and a second one ends the process with
    128 + its number.

    Parameters
    ----------
    line : callable
        Makes the line to write to standard error from the sentence that says how the process ended.
    resume : str
        How to go on, as a sentence; empty where nothing can be resumed.

    Attributes
    ----------
    event : threading.Event
        Set by the first signal during `gracefully`.
    """

    def __init__(self, line: Callable[[str], str], resume: str = "") -> None:
        self.event, self.resume = Event(), resume
        self._line, self._graceful = line, False
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Install the handlers. Only the main thread can: elsewhere nothing happens."""
        if current_thread() is main_thread():
            handlers = dict.fromkeys(_NAMES, self._handle) | {"SIGALRM": self._give_up}
            for name, handler in handlers.items():
                if number := getattr(signal, name, None):
                    self._before[number] = signal.signal(number, handler)

    def release(self) -> None:
        """Put back the handlers that were installed before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @contextmanager
    def gracefully(self) -> Iterator[None]:
        """Let the first signal set `event`, for work that looks at it; the process ends 1.5 s later at the latest."""
        self._graceful = True
        try:
            yield
        finally:
            self._graceful = False
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, 0)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._graceful:
            self._give_up(number, frame)
        if self.event.is_set():
            self._leave("stopped at once.", 128 + number)
        self.event.set()
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _give_up(self, number: int, frame: FrameType | None) -> None:
        self._leave(f"stopped. {self.resume}".rstrip(), EXIT_STOPPED)

    def _leave(self, text: str, code: int) -> NoReturn:
        os.write(2, f"{self._line(text)}\n".encode())  # the streams may hold a lock
        os._exit(code)


def leave(code: int) -> NoReturn:
    """End the process at once; threads are abandoned, since their results are not needed any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
