"""Every operation on the file system, counted, so that a test can stop or break any of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gradsim.system import filesystem
from gradsim.system.filesystem import calls

PRIMITIVES = (
    "open_fd", "write", "fsync", "close", "rename", "link", "status", "unlink", "mkdir", "listdir"
)  # fmt: skip


CHANGES = ("open_fd", "write", "fsync", "rename", "link", "unlink", "mkdir")
"""Those between which the disk differs."""


class Killed(BaseException):
    """The process is gone: whatever it does after this has no effect."""


class Operations:
    """Calls `fault(number, name, call)` in place of each operation, numbered from 0, where call does it."""

    def __init__(self, fault: Callable[[int, str, Callable[[], object]], object], names: tuple[str, ...]) -> None:
        self.fault, self.names, self.count = fault, names, 0

    @contextmanager
    def active(self) -> Iterator[Operations]:
        originals = {name: getattr(calls, name) for name in self.names}
        for name, original in originals.items():
            setattr(calls, name, self._counted(name, original))
        try:
            yield self
        finally:
            for name, original in originals.items():
                setattr(calls, name, original)

    def _counted(self, name: str, original: Callable) -> Callable:
        def operation(*arguments, **options):
            number, self.count = self.count, self.count + 1
            return self.fault(number, name, lambda: original(*arguments, **options))

        return operation


def count(work: Callable[[], object], names: tuple[str, ...] = PRIMITIVES) -> int:
    """How many operations the work takes."""
    with Operations(lambda number, name, call: call(), names).active() as operations:
        work()
    return operations.count


def killed_at(point: int, work: Callable[[], object], leave: Callable[[], object] | None = None) -> bool:
    """Do the work and stop dead at a point, two for each of `CHANGES`: just before it, and just after it.

    Returns False if the work was over before. `leave` ends the process; by default an exception passes through it,
    after which no operation does anything.
    """
    dead, changes = False, -1

    def fault(_, name, call):
        nonlocal dead, changes
        changes += name in CHANGES
        if dead and name == "close":
            call()  # the system closes what a process leaves open
        if dead:
            raise Killed
        if changes < point // 2 or name not in CHANGES:
            return call()
        if point % 2:
            call()
        dead = True
        return (leave or _raise)()

    with Operations(fault, PRIMITIVES).active():
        try:
            work()
        except Killed:
            return True
        assert not dead, "the end of the process was caught"
        return False


def _raise() -> None:
    raise Killed


def breaking(number: int, code: int | str, forever: bool, names: tuple[str, ...] = PRIMITIVES) -> Operations:
    """Operations of which one fails with an error number, or all from there on; "short" writes a part only."""

    def fault(n, name, call):
        if n < number or (n > number and not forever):
            return call()
        if code != "short":
            raise OSError(code, os.strerror(code))
        return call()

    return Operations(fault, names)


CODES = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.ESTALE, errno.EMFILE)


def rests(path: Path) -> list[str]:
    """What lies in tmp/."""
    return filesystem.names(path / "tmp")
