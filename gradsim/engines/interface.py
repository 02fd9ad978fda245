"""The interface of engines: the job that they compute, progress, and cancellation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from gradsim.dataset.dataset import Dataset
from gradsim.system.progress import Progress

POLL_SECONDS = 0.1
"""Interval at which a waiting engine checks whether a stop was requested."""


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
    """Shards of a dataset to compute and commit.

    Attributes
    ----------
    dataset
        Where the shards are committed.
    shards
        Numbers of the shards.
    threads
        Threads for each shard; None to let the engine or worker decide.
    device
        What computes: a name of `simulation.devices`.
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
    device: str = "cpu"

    def check_stop(self) -> None:
        """Raise KeyboardInterrupt, as Ctrl-C does, if a stop was requested."""
        if self.stop.is_set():
            raise KeyboardInterrupt


Engine = Callable[[Job], None]
"""Computes and commits the shards of a job. On an error it stops at the next block; committed shards stay."""

Opened = AbstractContextManager[Engine]
