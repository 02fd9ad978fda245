"""What an engine is given to do, and what it is to do with the shards it computes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event

from gradsim.dataset.dataset import Dataset
from gradsim.system.progress import Progress

POLL_SECONDS = 0.1
"""How often an engine that waits looks whether it is to stop."""


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
        Told of what is done.
    stop
        Once it is set, the engine stops.
    """

    dataset: Dataset
    shards: list[int]
    threads: int | None
    progress: Progress
    stop: Event

    def check_stop(self) -> None:
        """Raise KeyboardInterrupt, as Ctrl-C does, if the engine is to stop."""
        if self.stop.is_set():
            raise KeyboardInterrupt


Engine = Callable[[Job], None]
"""Computes and commits the shards of a job. On an error it stops at the next block; committed shards stay."""

Opened = AbstractContextManager[Engine]
