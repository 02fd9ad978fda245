"""The command line. Signals are handled before anything else is imported; heavy imports wait until a command runs."""

from __future__ import annotations

import shlex
import sys
from typing import NoReturn

from gradsim.cli.messages import error_event
from gradsim.system.signals import StopSignals


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : list of str, optional
        The words behind the program's name; by default those that the process was started with.
    """
    words = sys.argv[1:] if arguments is None else arguments
    signals = StopSignals(
        _json_line if asks_for_json(words) else _text_line,
        f"Resume with: {shlex.join(['gradsim', *words])}" if words[:1] == ["run"] else "",
    )
    signals.listen()
    try:
        from gradsim.cli.commands import invoke

        invoke(words, signals)
    finally:
        if arguments is not None:  # else the process ends now, and may still be told to
            signals.release()


def asks_for_json(words: list[str]) -> bool:
    """Whether errors are to be lines of JSON. Looked up by hand: the parser is not imported yet."""
    pairs = zip(["", *words], [*words, ""], strict=True)
    asked = [(word.partition("=")[2] or after) for word, after in pairs if word.split("=")[0] == "--log-format"]
    return asked[-1:] == ["json"] and words[:1] == ["run"]


def _json_line(text: str) -> str:
    return error_event("Interrupted", text)


def _text_line(text: str) -> str:
    return f"\ngradsim: {text}"  # a bar may be in the middle of a line
