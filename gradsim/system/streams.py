"""Text for terminals, shells and programs, and standard streams that may be closed, full or strict about characters."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from signal import Signals
from typing import Any, TextIO

from gradsim.errors import StorageError

_EXIT_NO_READER = 128 + getattr(Signals, "SIGPIPE", 13)
_UNUSUAL = re.compile(r"[^ -~]")


def printable(text: str, keep: str = "\n\t") -> str:
    """Return text without control characters: those not in `keep` become escapes, such as ``\\x1b``.

    Names that users give are printed; an escape sequence among them would be obeyed by the terminal.
    """
    return _UNUSUAL.sub(lambda found: _escaped(found[0], keep), text)


def _escaped(character: str, keep: str) -> str:
    plain = character.isprintable() or character in keep
    return character if plain else character.encode("unicode_escape").decode()


def shell_join(words: Iterable[str]) -> str:
    """Return words as one line for a shell, also names with line breaks, escape sequences or bytes that are no text.

    Examples
    --------
    >>> print(shell_join(["gradsim", "status", "my run", "two\\nlines"]))
    gradsim status 'my run' $'two\\x0alines'
    """
    return " ".join(map(_shell_word, words))


def _shell_word(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    kept = (c if c.isprintable() and c not in "\\'" else _hexadecimal(c) for c in word)
    return f"$'{''.join(kept)}'"


def _hexadecimal(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def counted(count: int, noun: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "problem"), counted(2400, "network")
    ('1 problem', '2,400 networks')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def event_line(name: str, **facts: object) -> str:
    """Return an event as a line of JSON, with its time in UTC to the millisecond."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "event": name, **facts}).replace("\x7f", "\\u007f")


def open_standard_streams() -> None:
    """Open closed standard streams on the null device, and let the others take every character.

    A file that is opened later would get the number of a closed stream, and messages would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number is this one
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


class Tolerant:
    """A stream for progress and messages: what cannot be written is dropped, since no work should fail for it.

    Parameters
    ----------
    stream
        Where to write; None where there is no such stream.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, if that is possible."""
        try:
            return self._stream.write(text) if self._stream else 0
        except (OSError, ValueError):  # a full disk, a reader that is gone; a closed stream
            return 0

    def flush(self) -> None:
        """Flush the stream, if that is possible."""
        try:
            if self._stream:
                self._stream.flush()
        except (OSError, ValueError):
            pass

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:
            return False

    def is_stderr(self) -> bool:
        """Whether the stream is standard error."""
        return self._stream is sys.stderr

    def line(self, text: str) -> None:
        """Write a line, with control characters escaped."""
        self.write(f"{printable(text)}\n")
        self.flush()


def say(text: str) -> None:
    """Write a line to standard error, with control characters escaped; do nothing where it cannot be written."""
    Tolerant(sys.stderr).line(text)


class _Results:
    """Standard output while a command runs: control characters are escaped, and failing to write is an error."""

    encoding, errors = "utf-8", "strict"  # else click writes past this object where the stream says "ascii"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._reporting():  # click tries whether it can write nothing, and hides the error
            return self._stream.write(printable(text)) if text != "" else 0

    def flush(self) -> None:
        with self._reporting():
            self._stream.flush()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._stream is sys.__stdout__:  # Python flushes it again at its end, which would fail again
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if isinstance(error, BrokenPipeError):
                sys.exit(_EXIT_NO_READER)  # as of tools that SIGPIPE ends: `gradsim summarize DIR | head`
            raise StorageError("standard output", error) from None


@contextmanager
def results() -> Iterator[None]:
    """While inside, standard output escapes control characters, and raises StorageError if it cannot be written."""
    before = sys.stdout
    sys.stdout = _Results(before)
    try:
        yield
    finally:
        sys.stdout = before
