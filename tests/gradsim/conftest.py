"""What the tests of several packages use."""

from __future__ import annotations

import pytest

from gradsim.cli import main


@pytest.fixture
def call(capsys):
    """Run the command line here: exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return stop.value.code, *capsys.readouterr()

    return run
