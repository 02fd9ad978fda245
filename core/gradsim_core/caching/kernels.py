"""A disk cache of compiled kernels, beside Numba's own: it leaves the settings and the files of Numba's users alone.

A file holds one compiled signature, behind its checksum, and appears whole or not at all. A file that is missing,
damaged or cannot be read is a miss: the kernel is compiled and the file replaced, by one process at a time.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from gradsim_core.caching.files import read_checked, write_checked
from gradsim_core.caching.folder import cache_directory, warn_once
from gradsim_core.caching.turns import Turn

_VERSIONS = numba.__version__, np.__version__, sys.version


class KernelCache(_Cache):
    """The compiled signatures of one function.

    Parameters
    ----------
    function : function
    identity : str, optional
        Text that tells all that the function captures. Without it, the captured values are written out, which gives
        the same bytes in every process for plain functions only.
    """

    def __init__(self, function: Any, identity: str | None = None):
        captured = [cell.cell_contents for cell in function.__closure__ or ()]
        content = dumps(captured) if identity is None else identity.encode()
        code = function.__code__
        self._function = hashlib.sha256(code.co_code + b"\0" + content).hexdigest(), function.__module__
        self._name = re.sub(r"\W+", "_", function.__qualname__)[:80]
        self._turn: Turn | None = None

    @property
    def cache_path(self) -> str | None:
        """The folder, None if kernels stay in memory."""
        folder = cache_directory()
        return str(folder) if folder else None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled signature, None if the cache does not have it."""
        target_context.refresh()
        path = self._path(sig, target_context.codegen())
        if path is None:
            return None
        found = self._read(path, target_context)
        if found is None:  # to be compiled here, unless another process has begun
            self._end_turn()
            self._turn = Turn(path)
            found = self._read(path, target_context)
        if found is not None:
            self._end_turn()
        return found

    def _end_turn(self) -> None:
        """Let other processes look again."""
        if self._turn is not None:
            self._turn.end()
            self._turn = None

    def _read(self, path: Path, target_context: Any) -> Any:
        payload = read_checked(path)
        if payload is None:
            return None
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(payload))
        except Exception:  # whatever it is, compiling anew is the remedy
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a compiled signature. On a full disk the kernel stays in memory, with one warning."""
        path = self._path(sig, data.codegen)
        try:
            if path is not None and not data.lifted and not data.library.has_dynamic_globals:
                write_checked(path, dumps(data._reduce()))
        except OSError as error:
            warn_once(f"{path.parent if path else path}: {error.strerror or error}")
        finally:
            self._end_turn()

    def _path(self, sig: Any, codegen: Any) -> Path | None:
        folder = cache_directory()
        facts = repr((_VERSIONS, self._function, str(sig), codegen.magic_tuple()))
        return folder and folder / f"{self._name}-{hashlib.sha256(facts.encode()).hexdigest()[:32]}.kernel"

    def enable(self) -> None:
        """Do nothing: it is always enabled."""

    def disable(self) -> None:
        """Do nothing: it is always enabled."""

    def flush(self) -> None:
        """Do nothing: a file is valid for ever."""
