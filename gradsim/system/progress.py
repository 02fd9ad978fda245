"""Progress of long work: a bar on a terminal, a line every 30 s elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any, Literal, Self, TextIO, get_args

from tqdm import tqdm

from gradsim.errors import SweepError, suggestion
from gradsim.notebook import has_widgets, in_notebook
from gradsim.system.streams import Tolerant, event_line, printable

Mode = Literal["auto", "bar", "log", "json", "none"]
LOG_SECONDS = 30.0


def check_mode(mode: str) -> None:
    """Raise :class:`SweepError` unless ``mode`` is a mode of progress."""
    if mode not in get_args(Mode):
        modes = get_args(Mode)
        raise SweepError("progress", mode, f"one of {', '.join(modes)}", suggestion(mode, modes))


class Progress:
    """Reports networks done and the rate; work is counted in random normals, since cells differ in cost.

    Parameters
    ----------
    normals, networks
        The whole work: random normals to draw, networks to simulate.
    mode
        "bar" (terminal and notebook), "log" (one line every 30 s), "json" (every event as a line of JSON, for
        programs that gather logs), "none", or "auto": a bar on a terminal or in a notebook, else a log.
    stream
        Where to write; standard error by default.
    """

    def __init__(self, normals: int, networks: int, mode: Mode = "auto", stream: TextIO | None = None) -> None:
        self.stream = Tolerant(stream or sys.stderr)
        self.mode, self.normals, self.networks = _chosen(mode, self.stream), max(normals, 1), networks
        self.done_normals = self.done_networks = self._earlier = 0
        self._start = self._last = time.monotonic()
        self._lock = threading.Lock()
        self._bar: tqdm | None = None

    def resume(self, normals: int, networks: int) -> None:
        """Count work of an earlier run: shown as done, but left out of the rate."""
        self._earlier = self.done_normals = normals
        self.done_networks = networks

    def __enter__(self) -> Self:
        if self.mode == "bar":
            self._bar = _bar_of(self.stream)(
                total=self.networks,
                initial=self.done_networks,
                unit=" networks",
                unit_scale=True,
                smoothing=0.05,
                file=self.stream,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} networks [{elapsed}{postfix}]",
                postfix="starting",
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def add(self, normals: int, networks: int) -> None:
        """Count work that has just been done; safe to call from several threads."""
        with self._lock:
            self._add(normals, networks)

    def _add(self, normals: int, networks: int) -> None:
        self.done_normals += normals
        self.done_networks += networks
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(self._rate_text(now), refresh=False)
            self._bar.update(networks)
        elif self.mode in ("log", "json") and now - self._last >= LOG_SECONDS:
            self._last = now
            rate, left = self._rate(now)
            share = self.done_normals / self.normals
            if self.mode == "log":
                text = f"{share:4.0%}  {self.done_networks:,} of {self.networks:,} networks, {self._rate_text(now)}"
                self.stream.line(text)
            done = {"networks": self.done_networks, "of_networks": self.networks, "share": round(share, 6)}
            self.event("progress", **done, normals_per_second=round(rate), seconds_left=round(left))

    def event(self, name: str, **facts: object) -> None:
        """Write an event as a line of JSON in mode "json"; do nothing in the other modes."""
        if self.mode == "json":
            self.stream.line(event_line(name, **facts))

    def note(self, text: str) -> None:
        """Write a line of text, above the bar if there is one; nothing in mode "none"."""
        if self._bar is not None:
            self._bar.write(printable(text), file=self.stream)
        elif self.mode == "json":
            self.event("note", text=text)
        elif self.mode != "none":
            self.stream.line(text)

    def _rate(self, now: float) -> tuple[float, float]:
        """Normals per second, and the seconds left."""
        rate = (self.done_normals - self._earlier) / max(now - self._start, 1e-9)
        return rate, min((self.normals - self.done_normals) / rate, 1e15) if rate else 1e15

    def _rate_text(self, now: float) -> str:
        rate, left = self._rate(now)
        shown = f"{rate / 1e9:.2f} G" if rate > 1e8 else f"{rate / 1e6:.2f} M"
        return f"{shown} normals/s, {duration(left)} left"


def _chosen(mode: Mode, stream: Tolerant) -> Mode:
    """Resolve "auto": a bar on a terminal or in a notebook, else a log."""
    check_mode(mode)
    if mode != "auto":
        return mode
    return "bar" if stream.isatty() or (stream.is_stderr() and in_notebook()) else "log"


def _bar_of(stream: Tolerant) -> Any:
    """A widget in a notebook that can show one, else text."""
    if stream.is_stderr() and has_widgets():
        from tqdm.notebook import tqdm as widget

        return widget
    return tqdm


class Share:
    """Reports progress as a fraction, for work that is not counted in networks.

    Parameters
    ----------
    name
        What is being done.
    mode, stream
        As for :class:`Progress`.
    """

    def __init__(self, name: str, mode: Mode = "auto", stream: TextIO | None = None) -> None:
        self.stream = Tolerant(stream or sys.stderr)
        self.name, self.mode = name, _chosen(mode, self.stream)
        self._lock, self._start, self._done = threading.Lock(), time.monotonic(), 0.0
        self._last = self._start

    def __enter__(self) -> Self:
        shown = "{desc:16} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}]"
        self._bar = _bar_of(self.stream)(
            total=1.0, desc=self.name, file=self.stream, bar_format=shown, dynamic_ncols=True,
            disable=self.mode != "bar", leave=False,
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def add(self, share: float) -> None:
        """Count a share of the work, from 0 to 1, that has just been done; safe to call from several threads."""
        with self._lock:
            share = min(share, 1.0 - self._done)
            self._done += share
            self._bar.update(share)
            now = time.monotonic()
            if self.mode in ("log", "json") and now - self._last >= LOG_SECONDS:
                self._last = now
                done, seconds = self._done, now - self._start
                facts = {"task": self.name, "share": round(done, 6), "seconds": round(seconds, 3)}
                text = f"{self.name}: {done:4.0%}, {duration(seconds)}"
                self.stream.line(text if self.mode == "log" else event_line("progress", **facts))


def duration(seconds: float) -> str:
    """Return seconds as text for people: "42 s", "3 min 05 s", "2 h 10 min", "6 days", "1,300 years".

    Examples
    --------
    >>> duration(7800)
    '2 h 10 min'
    """
    if not seconds < 1e14:
        return "unknown time"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 6000:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 100 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    days = whole / 86400
    return f"{days:,.0f} days" if days < 1000 else f"{days / 365.25:,.0f} years"
