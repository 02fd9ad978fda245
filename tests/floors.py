"""Prints the lowest versions that pyproject.toml allows, as constraints for pip: `python tests/floors.py`."""

from __future__ import annotations

import tomllib
from pathlib import Path


def floors(project: dict) -> list[str]:
    """A line for each direct dependency with a floor, those of plot, dask and test included."""
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["plot"], *extras["dask"], *extras["test"]]
    return sorted({requirement.replace(">=", "==") for requirement in wanted if ">=" in requirement})


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "pyproject.toml"
    print("\n".join(floors(tomllib.loads(path.read_text(encoding="utf-8"))["project"])))
