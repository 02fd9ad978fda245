"""The command line with streams that are closed or full, and with names that are hostile or no text."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import gradsim as gs

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")

GRADSIM = [sys.executable, "-m", "gradsim"]


def shell(redirections, *words):
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirections}', "sh", *GRADSIM, *map(str, words)], capture_output=True, check=False
    )


@pytest.mark.parametrize(("closed", "form"), [("<&- >&- 2>&-", "text"), ("2>&-", "json")])
def test_a_run_with_closed_streams(sweep, tmp_path, closed, form):
    """It is computed all the same, and what was meant for one stream does not get into another."""
    done = shell(closed, "run", sweep, "--out", tmp_path / "run", "--log-format", form, "--no-plot")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"2,400 networks" in done.stdout) == (">&- 2" not in closed)
    assert b'"event"' not in done.stdout
    assert gs.open(tmp_path / "run").verify().problems == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output():
    done = shell(">/dev/full", "info")
    assert done.returncode == 5
    assert done.stderr.startswith(b"gradsim: standard output: No space left on device. The disk is full.")
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_goes_away():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*GRADSIM, "info"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\x1b[31mred", b"two\nlines"], ids=ascii)
def test_a_directory_with_any_name(call, sweep, tmp_path, name):
    out = os.path.join(os.fsencode(tmp_path), name)
    code, said, _ = call("run", sweep, "--out", os.fsdecode(out), "--progress", "none", "--shard", "1/2")
    assert code == 0
    command = said.partition("`")[2].partition("`")[0].removeprefix("gradsim status ")
    assert command.isprintable()
    assert subprocess.run(["bash", "-c", f"printf %s {command}"], capture_output=True, check=True).stdout == out
    code, said, err = call("status", os.fsdecode(out))
    assert code == 0
    assert all(character.isprintable() or character == "\n" for character in said + err)
    code, _, err = call("run", sweep, "--out", os.fsdecode(out), "--networks", "3")
    assert code == 2
    assert all(character.isprintable() or character == "\n" for character in err)


def test_every_error_of_a_json_run_is_json(call, sweep, tmp_path, monkeypatch):
    """Also a wrong option, an interrupt before the run begins, and an unexpected error; with milliseconds."""

    def interrupted(*arguments):
        raise KeyboardInterrupt

    def failing(*arguments):
        raise RuntimeError("a bug")

    arguments = ("run", sweep, "--out", tmp_path / "run", "--log-format", "json")
    for fault, kind, expected in (
        (None, "NoSuchOption", 2), (interrupted, "Interrupted", 75), (failing, "UnexpectedError", 1),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            if fault:
                patch.setattr(gs.Sweep, "from_toml", fault)
            code, out, err = call(*arguments, *(() if fault else ("--nonsense",)))
        event = json.loads(err)
        assert (code, out, event["event"], event["kind"]) == (expected, "", "error", kind)
        assert len(event["time"].partition(".")[2]) == len("123+00:00")
