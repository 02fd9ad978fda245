"""What workers do in tests in place of their task. Files say what happened before, in whichever process.

Workers import this module when they start, so it imports little.
"""

from __future__ import annotations

import os
from pathlib import Path

from gradsim.engines import tasks


def dies_at(shard: int, times: int, folder: str, task: tasks.Task) -> tasks.Receipt:
    marks = list(Path(folder).glob("died-*"))
    if task.shard == shard and len(marks) < times:
        (Path(folder) / f"died-{len(marks)}").touch()
        os._exit(1)
    return tasks.run_task(task)


def fails_at(shard: int, times: int, folder: str, error: Exception, task: tasks.Task) -> tasks.Receipt:
    marks = list(Path(folder).glob("failed-*"))
    if task.shard == shard and len(marks) < times:
        (Path(folder) / f"failed-{len(marks)}").touch()
        raise error
    return tasks.run_task(task)
