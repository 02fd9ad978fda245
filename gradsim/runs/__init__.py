"""Runs: simulate a sweep into a dataset, resume it, read it; status of a run; batch scripts."""

from gradsim.runs.placement import check_placement
from gradsim.runs.results import Run
from gradsim.runs.run import open, run

__all__ = ["Run", "check_placement", "open", "run"]
