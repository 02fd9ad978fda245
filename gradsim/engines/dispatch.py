"""Sends shards to workers that may die: a bounded number at a time, with retries and a record of failures."""

from __future__ import annotations

import errno
import json
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from typing import Protocol

from gradsim.dataset.directory import FAILURES
from gradsim.engines.interface import POLL_SECONDS, Job
from gradsim.engines.tasks import Receipt, Task, packed, run_task
from gradsim.errors import DeviceLostError, EngineError, EngineStartError, GradsimError, ShardsFailedError, StorageError
from gradsim.system import filesystem, provenance
from gradsim.system.streams import counted

ATTEMPTS = 3
"""How often a shard is tried before it is recorded as failed."""

_MOST_BREAKS = 10  # times that a pool breaks without a finished shard between
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # not tried again


class Workers(Protocol):
    """Processes that run tasks."""

    threads: int | None
    """Threads of a task; None to let the worker decide."""

    def slots(self) -> int:
        """Return how many tasks can run at the same time at present."""

    def submit(self, run: Callable[[Task], Receipt], task: Task) -> Future[Receipt]:
        """Submit a task."""

    def lost(self) -> bool:
        """Whether the connection to the workers is lost, and all tasks with it."""

    def renew(self) -> None:
        """Replace lost workers; EngineError if that is impossible."""


class Dispatch:
    """Runs the shards of a job on workers.

    A worker that dies loses its shard, and in some pools the shards of all other workers too. These are run again in
    halves, and halves of those if workers die again, until the shard that kills its worker is identified.
    """

    def __init__(self, job: Job, workers: Workers) -> None:
        self.job, self.workers = job, workers
        self._waiting, self._suspects = deque(job.shards), deque[list[int]]()
        self._running: dict[Future[Receipt], int] = {}
        self._attempts: Counter[int] = Counter()
        self._failed: list[int] = []
        self._breaks, self._finished = 0, False
        self._sweep = packed(job.dataset.sweep)

    def run(self) -> None:
        """Run all shards.

        Raises
        ------
        ShardsFailedError
            If some failed for good; the others are committed.
        GradsimError
            For a full disk, different numbers, or another error that a retry cannot mend.
        """
        try:
            while self._waiting or self._suspects or self._running:
                self._fill()
                done, _ = wait(self._running, POLL_SECONDS, FIRST_COMPLETED)
                self.job.check_stop()
                self._settle(done)
        finally:
            for future in self._running:
                future.cancel()
        if self._failed:
            raise ShardsFailedError(
                f"{self.job.dataset.path}: {counted(len(self._failed), 'shard')} failed ({_some(self._failed)}), each "
                f"tried {ATTEMPTS} times; all others are committed. See {FAILURES} for the reasons; give the same "
                "command again to retry."
            )

    def _fill(self) -> None:
        if not self._waiting and self._suspects and not self._running:
            for shard in self._suspects.popleft():
                self._submit(shard)
        slots = self.workers.slots() if self._waiting else 0
        while self._waiting and len(self._running) < slots:
            self._submit(self._waiting.popleft())

    def _submit(self, shard: int) -> None:
        dataset = self.job.dataset
        found = str(dataset.path.resolve()), dataset.plan.content_hash
        task = Task(*found, shard, self.workers.threads, self._sweep, self.job.device)
        self._running[self.workers.submit(run_task, task)] = shard

    def _settle(self, done: set[Future[Receipt]]) -> None:
        lost, broken = self.workers.lost(), None
        for future in done:
            shard = self._running.pop(future)
            try:
                self._count(future.result())
            except CancelledError:
                lost = True
                self._waiting.appendleft(shard)
            except BrokenExecutor as error:
                broken = error
                self._running[future] = shard
            except StorageError as error:
                self._attempts[shard] += 1
                if error.cause.errno in _FULL or self._attempts[shard] == ATTEMPTS:
                    raise
                self._waiting.appendleft(shard)  # first in line, so that a lost disk is reported soon
            except DeviceLostError as error:  # other workers may go on
                self._again(shard, error)
            except GradsimError:
                raise
            except Exception as error:
                self._again(shard, error)
        if lost or broken:
            self._start_over(broken)

    def _count(self, receipt: Receipt) -> None:
        self._breaks, self._finished = 0, True
        self.job.progress.add(receipt.normals, receipt.networks)
        self.job.progress.event("shard", shard=receipt.shard, seconds=round(receipt.seconds, 3), host=receipt.host)

    def _start_over(self, broken: BrokenExecutor | None) -> None:
        """Replace the workers and run their shards again, in halves if one of these shards broke a worker."""
        shards = sorted(self._running.values())
        for future in self._running:
            future.cancel()
        self._running.clear()
        self._breaks += broken is not None
        if self._breaks == _MOST_BREAKS:
            died = f"Workers died {_MOST_BREAKS} times without a shard in between"
            if self._finished:
                raise EngineError(
                    f"{died}. Look at their output; then give the same call again: finished shards are kept."
                )
            raise EngineStartError(
                f"{died}, the first included: they may not start at all. Their own messages, above, say why. Remove "
                'that reason, or compute in this process, with engine="local".'
            )
        if not broken:
            self._waiting.extendleft(reversed(shards))
        elif len(shards) == 1:
            self._again(shards[0], broken)
        else:
            middle = len(shards) // 2
            self._suspects.extend((shards[:middle], shards[middle:]))
        self.workers.renew()

    def _again(self, shard: int, error: BaseException) -> None:
        self._attempts[shard] += 1
        reason = f"{type(error).__name__}: {error}"
        if self._attempts[shard] < ATTEMPTS:
            self.job.progress.event("retry", shard=shard, attempt=self._attempts[shard], reason=reason)
            self._waiting.append(shard)
            return
        self._failed.append(shard)
        self.job.progress.event("failure", shard=shard, reason=reason)
        line = {"shard": shard, "attempts": ATTEMPTS, "time": provenance.now().isoformat(), "reason": reason[:2000]}
        filesystem.append(self.job.dataset.path / FAILURES, (json.dumps(line) + "\n").encode())


def _some(shards: list[int]) -> str:
    shown = ", ".join(map(str, sorted(shards)[:10]))
    return shown + ", …" if len(shards) > 10 else shown
