"""Pictures that commands draw into the directory of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from gradsim.system.streams import say

if TYPE_CHECKING:
    import pandas as pd

    from gradsim.runs import Run


def write_picture(run: Run, name: str, draw: Callable[[], bytes]) -> Path | None:
    """Write what ``draw`` returns into the run's directory; if that fails, say why on standard error, return None.

    The numbers are stored and printed by then: no picture is no reason to fail.
    """
    from gradsim.system import filesystem

    path = run.path / name
    try:
        filesystem.replace(run.path / "tmp", path, draw())
    except Exception as error:
        say(f"No picture: {error}")
        return None
    return path


def phase_png(summary: pd.DataFrame, boundary: pd.DataFrame) -> bytes:
    """Draw the phase diagram of all combinations."""
    from gradsim import plots

    with TemporaryDirectory() as folder:
        return plots.phase_diagram(summary, boundary, Path(folder) / "phase.png").read_bytes()


def growth_png(run: Run) -> bytes:
    """Draw the gain against depth."""
    from gradsim import plots

    return plots.styles.encode(plots.growth(run), "png")


def presets_png(run: Run) -> bytes:
    """Draw the gain for each activation and preset."""
    from gradsim import plots

    return plots.styles.encode(plots.presets(run), "png")


def spread_png(run: Run) -> bytes:
    """Draw the spread of the cell whose median gain is nearest to 1."""
    from gradsim import plots

    return plots.styles.encode(plots.spread(run), "png")


def layers_png(run: Run) -> bytes:
    """Draw ln |delta| through the layers."""
    from gradsim import plots

    return plots.styles.encode(plots.layers(run), "png")


PICTURES: dict[str, Callable[[Run], bytes]] = {"spread.png": spread_png, "layers.png": layers_png}
"""What `gradsim summarize --plot` draws."""
