"""Engines: ways to compute the missing shards of a dataset."""

from gradsim.engines.local import ENGINES, run_local

__all__ = ["ENGINES", "run_local"]
