"""Where a run computes: engine, device, threads and part of the plan, checked before anything is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from gradsim import engines
from gradsim.activations import check_runs_on_gpus
from gradsim.errors import SweepError
from gradsim.simulation.devices import check_device
from gradsim.simulation.partition import ShardPart
from gradsim.simulation.processors import processor
from gradsim.sweep import Sweep
from gradsim.system.threads import resolve_threads


def check_placement(engine: Any, device: str, threads: int | None, shard: str) -> ShardPart:
    """Return the part of the plan that ``shard`` names; :class:`SweepError` for a wrong value of any of these."""
    engines.check(engine)
    check_device(device)
    if device != "cpu":
        _check_gpus(engine, device)
    resolve_threads(threads)
    return ShardPart.parse(shard)


def _check_gpus(engine: Any, device: str) -> None:
    """Refuse a device that this engine cannot use, or that is not there; workers look for themselves."""
    if isinstance(engine, str) and engine.startswith("dask-local"):
        remedy = "One process drives all GPUs of a computer: leave the engine out"
        raise SweepError("engine", engine, f"local, for device {device}", remedy)
    if engine == "local":
        processor(device)


def check_sweep(device: str, sweep: Sweep) -> None:
    """Raise :class:`SweepError` if a sweep cannot run on a device, here or on workers."""
    if device != "cpu":
        for activation in sweep.activation:
            if not isinstance(activation, str):
                check_runs_on_gpus(activation)


def checked_path(field: str, value: Any) -> Path:
    """Return a path, or raise SweepError for anything else."""
    check_type(field, value, str | os.PathLike, "a path, as text or a Path", f'Write for example {field}="out/run"')
    return Path(value)


def check_type(field: str, value: Any, kind: Any, allowed: str, remedy: str) -> None:
    """Raise SweepError unless the value has a type."""
    if not isinstance(value, kind):
        raise SweepError(field, value, allowed, remedy)
