"""The interface of engines: the job they get, the progress they report, and the request to stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from gradsim.dataset.dataset import Dataset
from gradsim.system.progress import Progress

POLL_SECONDS = 0.1
"""How often a waiting engine checks for a requested stop."""


class ProgressSink(Protocol):
    """Receives progress: random normals drawn and networks simulated."""

    def add(self, normals: int, networks: int) -> None:
        """Count work that has just been done."""


class Cancellation(Protocol):
    """Raises if a stop was requested."""

    def check_stop(self) -> None:
        """Raise KeyboardInterrupt, as Ctrl-C does, if a stop was requested."""


@dataclass(frozen=True, slots=True)
class Job:
    """Shards of a dataset that are to be computed and committed.

    Attributes
    ----------
    dataset
        The dataset.
    shards
        Numbers of the shards.
    threads
        Threads that compute one shard; None to decide where it is computed.
    progress
        Receives progress and events.
    stop
        Once it is set, the engine stops.
    """

    dataset: Dataset
    shards: list[int]
    threads: int | None
    progress: Progress
    stop: Event

    def check_stop(self) -> None:
        """Raise KeyboardInterrupt, as Ctrl-C does, if a stop was requested."""
        if self.stop.is_set():
            raise KeyboardInterrupt


Engine = Callable[[Job], None]
"""Computes and commits the shards of a job. On an error it stops at the next block; committed shards stay."""

Opened = AbstractContextManager[Engine]
