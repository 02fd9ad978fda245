"""Tables within the width of a terminal: nothing is lost, and every block names its rows."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from gradsim.report import text
from gradsim.report.fitting import fit
from tests.gradsim.small_runs import made

fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")  # terminals of POSIX
SENTENCES = ["Not to be trusted: the gain is so widely spread that its mean near it needs 2,000 networks.", "-"]


def table(rows: int, columns: int) -> pd.DataFrame:
    rng = np.random.default_rng(rows * columns)
    keys = {"activation": ["tanh"] * rows, "depth": [str(2**i) for i in range(rows)]}
    values = {f"value_{i}": [f"{value:.5g}" for value in rng.normal(size=rows)] for i in range(columns)}
    return pd.DataFrame(keys | values | {"reason": [SENTENCES[i % 2] for i in range(rows)]})


@pytest.mark.parametrize("width", [40, 60, 80, 132])
@pytest.mark.parametrize("columns", [1, 5, 12])
def test_lines_fit_and_nothing_is_lost(width, columns):
    frame = table(6, columns)
    shown = fit(frame, ["activation", "depth"], width)
    assert max(map(len, shown.splitlines())) <= width
    words = re.sub(r"\s+", " ", shown)
    for name in frame:
        assert name in words
        assert all(value in words for value in frame[name])
    for block in shown.split("\n\n"):
        assert block.startswith((" activation", "activation", "[1]"))


def test_a_wide_terminal_and_a_file_have_one_block():
    frame = table(4, 12)
    whole = fit(frame, ["activation", "depth"], 1000)
    assert whole.count("value_0") == 1
    assert "\n\n" not in whole
    assert SENTENCES[0] in whole.splitlines()[1]
    assert re.match("depth +value_0", text.render(frame, "table").splitlines()[1])  # the activation is said above


def on_terminal(command: list[str], columns: int) -> str:
    """What a command prints on a terminal of so many columns."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(slave)
        found = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # Linux says that the other end is closed so
                break
            if not part:
                break
            found += part
    os.close(master)
    assert process.returncode == 0
    return found.decode().replace("\r\n", "\n")


def test_commands_fit_the_terminal(tmp_path):
    run = made(
        tmp_path / "run", activation=["tanh", "relu"], sigma_w=[1.0, 1.5, 2.0], depth=[4, 40], width=8, networks=90
    )
    for words, columns in ((["summarize"], 80), (["boundary"], 60)):
        shown = on_terminal([sys.executable, "-m", "gradsim", *words, str(run.path)], columns)
        assert max(map(len, shown.splitlines())) <= columns
        assert shown.count("activation") >= 2  # blocks name their rows
        assert "[1] Not to be trusted" in shown or words == ["summarize"]
