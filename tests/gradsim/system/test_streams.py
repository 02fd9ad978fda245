"""Text of users in terminals and shells; streams that are closed, full, or None."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from gradsim.system import streams
from gradsim.system.progress import Progress, Share

NAMES = [
    "plain",
    "two words",
    "a\ntouch X #",
    "\x1b[31mred",
    "it's",
    "back\\slash\n'",
    "\udcff\udc80",
    "é\x9bm",
    "\x7f",
]


def test_no_control_character_is_printed():
    assert streams.printable("a\x1b[31m\x9b\x7f\r\udcffé\n\t") == "a\\x1b[31m\\x9b\\x7f\\r\\udcffé\n\t"
    assert streams.printable("a\nb", keep="") == "a\\nb"


@pytest.mark.skipif(os.name == "nt", reason="needs bash")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_words_for_a_shell(name):
    """One line without control characters, which the shell reads back as the same bytes."""
    line = streams.shell_join(["printf", "%s", name])
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", f"{line} # {line}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(name)


class Broken(io.StringIO):
    """A stream behind which the disk is full."""

    def write(self, text):
        raise OSError(28, "No space left on device")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, closed(), Broken()], ids=["none", "closed", "full"])
@pytest.mark.parametrize("mode", ["auto", "bar", "log", "json", "none"])
def test_work_goes_on_where_progress_cannot_be_shown(stream, mode, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("gradsim.system.progress.LOG_SECONDS", 0.0)
    with Progress(10, 10, mode) as progress, Share("verify", mode) as share:
        progress.add(5, 5)
        progress.note("a note")
        progress.event("shard", shard=1)
        share.add(0.5)
    streams.say("a message")
    assert capfd.readouterr() == ("", "")  # nor does it get onto standard output


def test_notes_and_events_have_no_control_characters():
    for mode in ("bar", "log", "json"):
        stream = io.StringIO()
        with Progress(10, 10, mode, stream) as progress:
            progress.note("failed: \x1b]0;title\x07\x7f")
        assert not {"\x1b", "\x07", "\x7f"} & set(stream.getvalue())
    assert json.loads(stream.getvalue())["text"] == "failed: \x1b]0;title\x07\x7f"
