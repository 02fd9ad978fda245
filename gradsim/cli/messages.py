"""Errors of the command line: sentences for people, JSON for programs."""

from __future__ import annotations

from gradsim.system.streams import event_line, say


def asks_for_json(words: list[str]) -> bool:
    """Whether errors are written as lines of JSON. Parsed by hand: click is not imported yet."""
    pairs = zip(["", *words], [*words, ""], strict=True)
    asked = [(word.partition("=")[2] or after) for word, after in pairs if word.split("=")[0] == "--log-format"]
    return asked[-1:] == ["json"] and words[:1] == ["run"]


def error_event(kind: str, text: str) -> str:
    """Return an error as a line of JSON for `--log-format json`, with keys time (UTC), event, kind, text."""
    return event_line("error", kind=kind, text=text)


def report_error(kind: str, text: str, as_json: bool) -> None:
    """Write an error to standard error, as a sentence or as an event."""
    say(error_event(kind, text) if as_json else f"gradsim: {text}")
