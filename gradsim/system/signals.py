"""Signals that ask the program to stop: a run stops at its next block, anything else at once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn

from gradsim.system.streams import Tolerant

GRACE_SECONDS = 1.5
"""Seconds in which a run may stop by itself, and finish a commit under way."""

EXIT_STOPPED = 75
_NAMES = ("SIGTERM", "SIGINT", "SIGUSR1")  # Slurm, people, Slurm's warning before the time is over


class StopSignals:
    """Handles this process's stop signals between `listen` and `release`.

    Files need no clean-up when the process ends, so a signal ends it at once, even during imports, with exit code 75.
    Inside `gracefully` the first signal only sets `event`, and a second one ends the process with 128 + its number.

    Parameters
    ----------
    line : callable
        Formats the sentence that says how the process ended as a line for standard error.
    resume : str
        How to resume, as a sentence; empty if there is nothing to resume.

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
        """Install the handlers; does nothing outside the main thread, where Python allows none."""
        if current_thread() is main_thread():
            handlers = dict.fromkeys(_NAMES, self._handle) | {"SIGALRM": self._give_up}
            for name, handler in handlers.items():
                if number := getattr(signal, name, None):
                    self._before[number] = signal.signal(number, handler)

    def release(self) -> None:
        """Restore the previous handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def ignore_in_finalization(self) -> None:
        """Keep a finished command's exit code: Python's last steps would let a signal kill the process instead."""

        def ignore() -> None:
            for number in self._before:
                signal.signal(number, signal.SIG_IGN)

        atexit.register(ignore)  # before all others, so that it runs after them

    @contextmanager
    def gracefully(self) -> Iterator[None]:
        """Let the first signal only set `event`, for work that checks it; the process ends at most 1.5 s later."""
        self._graceful = True
        try:
            yield
        finally:
            self._graceful = False
            if self.event.is_set():
                _set_alarm(0)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._graceful:
            self._give_up(number, frame)
        if self.event.is_set():
            self._leave("stopped at once.", 128 + number)
        _set_alarm(GRACE_SECONDS)  # first: `set` waits for ever where the signal interrupts the event's own methods
        self.event.set()

    def _give_up(self, number: int, frame: FrameType | None) -> None:
        self._leave(f"stopped. {self.resume}".rstrip(), EXIT_STOPPED)

    def _leave(self, text: str, code: int) -> NoReturn:
        try:  # not print: the interrupted code may hold the stream's lock
            os.write(2, f"{self._line(text)}\n".encode(errors="backslashreplace"))
        finally:
            os._exit(code)


def _set_alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def leave(code: int) -> NoReturn:
    """End the process at once; running threads are abandoned, since their results are no longer needed."""
    for stream in (sys.stdout, sys.stderr):
        Tolerant(stream).flush()
    os._exit(code)
