"""How much of a proof to run: a quick form in every run of the suite, the full one with `make faults`."""

from __future__ import annotations

import pytest


def quick_and_full(quick: object, full: object) -> list:
    """Parameters of a test: the quick amount, and the full one, marked so."""
    return [pytest.param(quick, id="quick"), pytest.param(full, id="full", marks=pytest.mark.faults)]
