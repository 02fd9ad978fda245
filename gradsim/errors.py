"""Errors that gradsim raises. Each message names the field, the value, what is allowed, and a remedy."""

from __future__ import annotations

import errno
import operator
import reprlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import ClassVar

from gradsim_core.names import nearest

MISSING = object()
"""The value of a :class:`SweepError` for a key that was not given."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: object) -> str:
    """Return the value as an error message shows it: its repr, in one line and cut to about 80 characters."""
    return _SHORT.repr(value).replace("\n", " ")


def suggestion(word: object, choices: Iterable[str]) -> str:
    """Return the remedy for a wrong name: the most similar choice, if any is similar."""
    found = nearest(str(word), choices)
    return f"The nearest is {found}" if found else "Take one of these"


def why_not_finite(activation: str, share: float) -> str | None:
    """The sentence about networks that are not finite, ``share`` of those of a cell; None if there are none."""
    if not share > 0.0:
        return None
    which = "All networks are" if share == 1.0 else f"{share:.2g} of the networks are"
    return f"{which} not finite: phi or dphi of {activation} gave no finite number, or q grew beyond any float64."


class GradsimError(Exception):
    """Base class of gradsim's errors.

    ``exit_code`` is what the command line returns for it.
    """

    exit_code: ClassVar[int] = 1


class SweepError(GradsimError, ValueError):
    """A parameter of a sweep, a cell or a command is not valid.

    Parameters
    ----------
    field
        The parameter's name, with its place on the axis where it has one: ``"sigma_w[3]"``.
    value
        The value given.
    allowed
        What is allowed, as a noun phrase: ``"a finite number > 0"``.
    remedy
        What to do about it: a sentence without its full stop.
    others
        Further faults found in the same sweep; the message has one line for each.
    """

    exit_code = 2

    def __init__(self, field: str, value: object, allowed: str, remedy: str, others: Sequence[SweepError] = ()) -> None:
        self.field, self.value, self.allowed, self.remedy = field, value, allowed, remedy
        self.others = tuple(others)
        super().__init__(field, value, allowed, remedy, self.others)

    def joined(self, others: Sequence[SweepError]) -> SweepError:
        """Return this fault as an error that also reports ``others``."""
        return SweepError(self.field, self.value, self.allowed, self.remedy, others)

    def at(self, place: str) -> SweepError:
        """Return this fault, and those joined to it, with a place before each field: a file or a row of it."""
        first, *others = (
            SweepError(f"{place}: {fault.field}", fault.value, fault.allowed, fault.remedy)
            for fault in (self, *self.others)
        )
        return first.joined(others)

    def __str__(self) -> str:
        fault = "is missing" if self.value is MISSING else f"= {shown(self.value)} is refused"
        sentence = f"{self.field} {fault}; allowed: {self.allowed}. {self.remedy}."
        return "\n".join([sentence, *map(str, self.others)])


def whole_number(field: str, value: object, least: int, most: int, remedy: str) -> int:
    """Return a whole number of Python or NumPy as Python's; :class:`SweepError` unless it lies between two."""
    if not isinstance(value, bool):
        with suppress(TypeError):
            number = operator.index(value)  # type: ignore[arg-type]
            if least <= number <= most:
                return number
    raise SweepError(field, value, f"a whole number from {least} to {most}", remedy)


class SweepFileError(GradsimError):
    """A sweep file cannot be found, read or parsed."""

    exit_code = 2


class OutputError(GradsimError):
    """The output directory cannot hold a dataset, or does not hold one."""

    exit_code = 2


class RunExistsError(OutputError):
    """The output directory holds the dataset of another sweep."""


class SchemaVersionError(GradsimError):
    """A dataset was written by a newer gradsim in a layout that this version cannot read."""

    exit_code = 2


class ShardsFailedError(GradsimError):
    """Some shards of a run failed; the others are committed."""

    exit_code = 3


class CorruptDataError(GradsimError):
    """A file of a dataset is damaged, missing or does not belong to it."""

    exit_code = 4


class DeterminismError(GradsimError):
    """Two computations of the same shard gave different numbers: a faulty machine, or two versions of the code."""

    exit_code = 4


class StorageError(GradsimError):
    """Reading or writing failed: a full disk, an I/O error. Committed shards stay, a run can be resumed.

    Parameters
    ----------
    path
        The file or directory that could not be read or written.
    cause
        The operating system's error.
    """

    exit_code = 5

    def __init__(self, path: object, cause: OSError) -> None:
        self.path, self.cause = str(path), cause
        self.remedy = _REMEDIES.get(cause.errno or 0, "Check the disk and the permissions") + (
            ", then give the same command again. Of a run, finished shards are kept, and it goes on from there"
        )
        super().__init__(path, cause)

    def __str__(self) -> str:
        return f"{self.path}: {self.cause.strerror or self.cause}. {self.remedy}."


class OutOfMemoryError(GradsimError):
    """Memory ran out. Committed shards stay, a run can be resumed with fewer threads.

    Parameters
    ----------
    path
        The run's directory.
    needed
        Estimate of the memory that the process needs, in bytes.
    cause
        What could not be had.
    """

    exit_code = 2

    def __init__(self, path: object, needed: int, cause: object) -> None:
        self.path, self.needed, self.cause = str(path), needed, str(cause)
        super().__init__(self.path, needed, self.cause)

    def __str__(self) -> str:
        reason = f" ({self.cause})" if self.cause else ""
        return (
            f"{self.path}: memory ran out{reason}. This run needs about {self.needed / 2**30:.1f} GiB. Take fewer "
            "threads (--threads), a smaller shard_size or width, or a larger machine; finished shards are kept."
        )


class DeviceError(GradsimError):
    """A GPU cannot be used: the message says what is missing, or that its memory is full, and the remedy."""

    exit_code = 2


class DeviceLostError(GradsimError):
    """A GPU failed while it computed. Committed shards stay; a run can be resumed, also on the CPU."""

    exit_code = 75


class EngineError(GradsimError):
    """The workers of an engine cannot be reached or replaced. Committed shards stay, a run can be resumed."""

    exit_code = 75


class EngineStartError(EngineError):
    """The workers of an engine cannot start here; the message says why, and the same command would fail again."""

    exit_code = 2


class Interrupted(GradsimError):
    """The run was stopped early; the same command resumes it."""

    exit_code = 75


_REMEDIES = {
    errno.ENOSPC: "The disk is full. Free some space",
    errno.EDQUOT: "The disk quota is used up. Free some space",
    errno.EROFS: "The file system is read-only. Make it writable",
    errno.EACCES: "Permission is missing. Grant it",
    errno.EPERM: "Permission is missing. Grant it",
    errno.EMFILE: "Too many files are open. Raise the limit (ulimit -n)",
    errno.ESTALE: "The network file system has lost the file. Check the mount",
    errno.EFBIG: "The file would pass the limit on the size of files. Raise it (ulimit -f)",
    errno.ENAMETOOLONG: "The name is too long. Choose a shorter directory",
    errno.ENOENT: "A file or directory is gone, perhaps with its disk. Bring it back",
    errno.EAGAIN: "The file system is busy. Wait a moment",
    errno.EIO: "The disk reports an input/output error. Check it",
}
