"""Progress: what a person, a log and a program see of it."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.system import progress, provenance
from gradsim.system.progress import Progress, Share


@pytest.fixture(autouse=True)
def every_line(monkeypatch) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)


def test_a_bar() -> None:
    stream = io.StringIO()
    with Progress(1000, 10, "bar", stream) as meter:
        meter.add(500, 5)
        meter.note("a note")
    assert "a note" in stream.getvalue()
    assert "5.00/10.0 networks" in stream.getvalue()


def test_what_a_bar_says_first_and_last() -> None:
    stream = io.StringIO()
    with Progress(1000, 10, "bar", stream) as meter:
        meter.add(1000, 10)
    first, last = stream.getvalue().strip().split("\r")[0], stream.getvalue().split("\r")[-1].strip()
    assert first.endswith("networks [00:00, starting]")
    assert "10.0/10.0 networks [00:00, " in last
    assert last.endswith("normals/s, 0 s left]")


@pytest.mark.parametrize("mode", ["bars", "", "Bar", None])
def test_an_unknown_mode_is_refused(mode, tmp_path) -> None:
    for begin in (lambda: Progress(1, 1, mode), lambda: Share("verify", mode)):
        with pytest.raises(SweepError, match=r"progress = .* is refused; allowed: one of auto, bar, log, json, none"):
            begin()
    sweep = gs.Sweep(activation="tanh", sigma_w=1.0, depth=2, width=4, networks=1, seed=1)
    with pytest.raises(SweepError, match="progress"):
        gs.run(sweep, tmp_path / "run", progress=mode)
    assert not (tmp_path / "run").exists()


def test_a_log_and_what_an_earlier_run_did() -> None:
    stream = io.StringIO()
    meter = Progress(1000, 10, "log", stream)
    meter.resume(400, 4)
    meter.add(100, 1)
    meter.note("a note")
    meter.event("shard", shard=1)  # for programs alone
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith(" 50%  5 of 10 networks, ")
    assert lines[1:] == ["a note"]


def test_events_for_programs() -> None:
    stream = io.StringIO()
    meter = Progress(1000, 10, "json", stream)
    meter.add(500, 5)
    meter.note("a note")
    done, note = map(json.loads, stream.getvalue().splitlines())
    assert (done["event"], done["networks"], done["of_networks"], done["share"]) == ("progress", 5, 10, 0.5)
    assert (note["event"], note["text"]) == ("note", "a note")


def test_a_share() -> None:
    log, bar, events = io.StringIO(), io.StringIO(), io.StringIO()
    for mode, stream in (("log", log), ("bar", bar), ("json", events)):
        with Share("verify", mode, stream) as share:
            share.add(0.5)
            share.add(0.7)  # rounding may give more than the whole
    assert [line.partition(",")[0] for line in log.getvalue().splitlines()] == ["verify:  50%", "verify: 100%"]
    assert "verify" in bar.getvalue()
    shares = [json.loads(line) for line in events.getvalue().splitlines()]
    assert [(one["event"], one["task"], one["share"]) for one in shares] == [
        ("progress", "verify", 0.5), ("progress", "verify", 1.0),
    ]  # fmt: skip


def test_a_bar_where_people_look(monkeypatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    assert Progress(1, 1, "auto", terminal).mode == "bar"
    assert Progress(1, 1, "auto", io.StringIO()).mode == "log"
    for shell, mode in ((None, "log"), (SimpleNamespace(), "log"), (SimpleNamespace(kernel=1), "bar")):
        # Python itself, IPython on a terminal whose standard error is a file, and the kernel of a notebook
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert Progress(1, 1, "auto").mode == mode
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())  # imported by another package: no notebook
    monkeypatch.delitem(sys.modules, "IPython")
    assert Progress(1, 1, "auto").mode == "log"


def test_facts_that_cannot_be_had(monkeypatch) -> None:
    """A package that was copied instead of installed, and a system that is not Linux."""
    monkeypatch.setattr(provenance, "_PACKAGES", ("no-such-package",))
    monkeypatch.setattr(sys, "platform", "other")
    facts = provenance.environment.__wrapped__()
    assert facts["no-such-package"] == "unknown"
    assert facts["cpu"]
