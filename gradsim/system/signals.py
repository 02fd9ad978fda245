"""Signals that ask a run to stop: the first at the next block, a second one at once."""

from __future__ import annotations

import os
import signal
import sys
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn, Self

GRACE_SECONDS = 1.5
"""How long a run may take to stop by itself: a commit under way is finished where that is quick."""

EXIT_STOPPED = 75
_NAMES = ("SIGTERM", "SIGINT", "SIGUSR1")  # Slurm, people, Slurm's warning before the time is over


class StopSignals:
    """Handles this process's signals while it is entered.

    Nothing on the disk needs tidying up when the process ends, whenever that is, so it can always leave at once.

    Attributes
    ----------
    event : threading.Event
        Set by the first signal.
    resume : str
        What to do to go on, for the message.
    """

    def __init__(self, resume: str) -> None:
        self.event, self.resume = Event(), resume
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if current_thread() is main_thread():  # no other may handle signals
            handlers = dict.fromkeys(_NAMES, self._handle) | {"SIGALRM": self._give_up}
            for name, handler in handlers.items():
                if number := getattr(signal, name, None):
                    self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set():
            _leave("gradsim: stopped at once.", 128 + number)
        self.event.set()
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _give_up(self, number: int, frame: FrameType | None) -> None:
        _leave(f"gradsim: stopped. {self.resume}", EXIT_STOPPED)


def leave(code: int) -> NoReturn:
    """End the process at once; threads are abandoned, since their results are not needed any more."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _leave(text: str, code: int) -> NoReturn:
    os.write(2, f"\n{text}\n".encode())  # the streams may be in the middle of a line, or hold a lock
    os._exit(code)
