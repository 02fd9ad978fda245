"""Errors of the system as gradsim's own, with the path and a remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradsim.errors import CorruptDataError, StorageError


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn errors of the system into :class:`StorageError`, of links that are not followed into CorruptDataError."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CorruptDataError(
                f"{path}: not a file or directory of its own, but a link or a device. gradsim follows none inside a "
                "dataset: put the real file there, or move the whole directory."
            ) from error
        raise StorageError(path, error) from error
