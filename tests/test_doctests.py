"""Every example of a docstring gives what it says."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

import gradsim
import gradsim_core

FINDER = doctest.DocTestFinder()
MODULES = [
    "gradsim",
    "gradsim_core",
    *(module.name for package in (gradsim, gradsim_core)
      for module in walk_packages(package.__path__, f"{package.__name__}.")
      if not module.name.endswith("__main__")),
]  # fmt: skip


def test_examples() -> None:
    runner = doctest.DocTestRunner()
    for name in MODULES:
        for test in FINDER.find(import_module(name)):
            said: list[str] = []
            if runner.run(test, out=said.append).failed:
                pytest.fail("".join(said))
    assert runner.tries > 15
