"""Runs: make, resume and read the dataset of a sweep; their status; batch scripts."""

from gradsim.runs.run import Run, check_engine, open, run

__all__ = ["Run", "check_engine", "open", "run"]
