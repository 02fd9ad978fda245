"""What the tests of several packages use."""

from __future__ import annotations

import shutil

import pytest

from gradsim.cli import main
from tests.gradsim.small_runs import edge_runs


@pytest.fixture
def call(capsys):
    """Run the command line here: exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return stop.value.code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def edges(tmp_path_factory):
    """Runs with little in them, by name."""
    return edge_runs(tmp_path_factory.mktemp("edges"))


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; tests skip, with the reason, where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver (Debian: chromium, chromium-driver) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--force-device-scale-factor=1",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield running
    running.quit()
