"""A small sweep file, and the command line as a function."""

from __future__ import annotations

import pytest

from gradsim.cli import main

SMALL = """
activation = "tanh"
sigma_w = [0.8, 1.2, 1.6, 2.0]
depth = [3, 6]
width = 8
networks = 300
seed = 5
shard_size = 400_000
"""


@pytest.fixture
def sweep(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file


@pytest.fixture
def call(capsys):
    """Run the command line here: exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out = capsys.readouterr()
        return stop.value.code, out.out, out.err

    return run
