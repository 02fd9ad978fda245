"""Errors of the operating system as gradsim's own, with the path and a remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradsim.errors import CorruptDataError, StorageError

UNUSABLE = (
    errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG,
    errno.ELOOP, errno.EINVAL,
)  # fmt: skip
"""Errors that tell of a wrong directory, at which another is to be chosen. All others are faults of the storage."""


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Convert OSError to :class:`StorageError`, and a refused symbolic link to :class:`CorruptDataError`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CorruptDataError(
                f"{path}: a symbolic link or a device, which gradsim does not follow inside a dataset. Put the real "
                "file there, or move the whole directory."
            ) from error
        raise StorageError(path, error) from error
