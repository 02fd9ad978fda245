"""The command line. Signal handlers come before all other imports; heavy imports wait until a command runs."""

from __future__ import annotations

import sys
from typing import NoReturn

from gradsim.cli.messages import asks_for_json, error_event
from gradsim.system.signals import StopSignals
from gradsim.system.streams import open_standard_streams, shell_join


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : list of str, optional
        The arguments without the program's name; by default those of the process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    signals = StopSignals(
        _json_line if asks_for_json(words) else _text_line,
        f"Resume with: {shell_join(['gradsim', *words])}" if words[:1] in (["run"], ["refine"], ["lesson"]) else "",
    )
    signals.listen()
    if arguments is None:
        signals.ignore_in_finalization()
    open_standard_streams()
    try:
        from gradsim.cli.commands import invoke

        invoke(words, signals)
    finally:
        if arguments is not None:  # else the process ends now, and signals are handled until then
            signals.release()


def _json_line(text: str) -> str:
    return error_event("Interrupted", text)


def _text_line(text: str) -> str:
    return f"\ngradsim: {text}"  # starts a new line: a progress bar may occupy this one
