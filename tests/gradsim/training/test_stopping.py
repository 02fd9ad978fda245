"""Ctrl-C during training: it stops soon, and no thread is left."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import pytest

from gradsim.lessons.catalogue import recurrent
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Settings
from gradsim.training import Recipe, train

PATIENCE = 60
"""Seconds: a stop takes about one; a training that went on would take an hour."""


def interrupted(work) -> float:
    """Begin some work, which calls its argument when it is under way; return the seconds from Ctrl-C to its end."""
    before, begun = threading.active_count(), []

    def under_way(*done) -> None:
        if not begun:
            begun.append(time.monotonic())
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # as Ctrl-C, it ends a wait

    with pytest.raises(KeyboardInterrupt):
        work(under_way)
    assert threading.active_count() == before
    return time.monotonic() - begun[0]


def test_training_stops():
    recipe = Recipe(hidden=(30, 30), epochs=10**6, replicas=3)
    assert interrupted(lambda report: train(recipe, load_images(), threads=2, report=report)) < PATIENCE


def test_recurrent_training_stops(monkeypatch):
    monkeypatch.setattr(recurrent, "CALL_SYMBOLS", 20_000)
    settings = Settings(threads=2)

    def work(report):
        one = Settings(settings.quick, settings.seed, settings.threads, report)
        recurrent._memories(50, 3_000, (2, 200), one)

    assert interrupted(work) < PATIENCE


def test_a_chunked_training_has_the_same_bits(monkeypatch):
    """However often a stop is looked for."""
    found = []
    for symbols in (10, 10**9):
        monkeypatch.setattr(recurrent, "CALL_SYMBOLS", symbols)
        found.append(recurrent._remember(recurrent.Kind("tanh", "0.9"), 50, 0, 40, 1, lambda: None))
    assert found[0] == found[1]
    assert 0 < found[0]["error"] < 1  # so that there is something to differ
    assert np.isfinite(found[0]["ratio"])
