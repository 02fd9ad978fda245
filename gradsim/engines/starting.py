"""Checks before processes are started: what would stop them, as one sentence with its remedy.

Without them each process fails by itself, with pages of traces that do not name the reason.
"""

from __future__ import annotations

import ast
import socket
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

from gradsim.errors import EngineStartError

_GUARD = 'Put the call below a line `if __name__ == "__main__":`'
_LOCAL = 'or compute in this process, with engine="local"'
_SECONDS = 5.0  # for a connection of this process with itself


def check_processes(start_method: str) -> None:
    """Raise :class:`EngineStartError` if processes cannot be started here by this method of `multiprocessing`."""
    if start_method != "fork":
        _check_script()
    check_locks()


def check_locks() -> None:
    """Raise :class:`EngineStartError` if the locks that processes share cannot be made."""
    try:
        get_context("spawn").Lock()
    except OSError as error:
        raise EngineStartError(
            f"Processes cannot be started: they share locks in /dev/shm, and making one fails ({reason(error)}). "
            f"Make /dev/shm writable (in a container, mount a tmpfs there), {_LOCAL}."
        ) from error


def check_loopback() -> None:
    """Raise :class:`EngineStartError` if processes on this computer cannot talk to each other over TCP."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), _SECONDS).close()
    except OSError as error:
        raise EngineStartError(
            f"Processes cannot talk to each other: 127.0.0.1 cannot be reached ({reason(error)}). "
            f"Start the loopback interface (ip link set lo up), {_LOCAL}."
        ) from error


def root_cause(error: BaseException) -> BaseException:
    """Return the error that an error was raised from, directly or not."""
    while cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = cause
    return error


def reason(error: BaseException) -> str:
    """Return the root cause in words: its type, and the last line of its message."""
    error = root_cause(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


def _check_script() -> None:
    """Check the script that this process runs, which each new process imports."""
    main = sys.modules["__main__"]
    if getattr(main, "__spec__", None) is not None or getattr(main, "__file__", None) is None:
        return  # a module is imported by its name; python -c and notebooks have nothing that could be imported
    script = Path(str(main.__file__))
    if str(script) == "<stdin>":
        raise EngineStartError(
            "Processes cannot be started from a script on standard input: each of them imports the script, so it must "
            f"be a file. Save it and run that file, {_LOCAL}."
        )
    for frame in _frames():
        if frame.f_globals is vars(main) and frame.f_code.co_name == "<module>" and _unguarded(script, frame):
            raise EngineStartError(
                f"{script}, line {frame.f_lineno}: each new process imports this script, and would make this call "
                f"again. {_GUARD}."
            )


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def _unguarded(script: Path, frame: FrameType) -> bool:
    """Whether the line that a module executes is outside every ``if``, and so executed by every import."""
    if frame.f_code.co_filename != str(script):
        return False
    try:
        lines = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    guards = (node for node in ast.walk(lines) if isinstance(node, ast.If))
    return not any(node.lineno <= frame.f_lineno <= (node.end_lineno or 0) for node in guards)
