"""Runs with little in them: what pictures and pages are made of."""

from __future__ import annotations

import numpy as np

import gradsim as gs
from tests.gradsim import small_dataset

LONG = r"$x^2$ a_b \frac{1}{2} % # & {"
"""A name that LaTeX or mathtext would read as mathematics, or refuse."""

NAME = (LONG + "a name of sixty characters, which no line of a column holds")[:60]


def bent(h):
    return h / (1.0 + abs(h))


def slope(h):
    return 1.0 / ((1.0 + abs(h)) * (1.0 + abs(h)))


def straight(h):
    return h


def one(h):
    return 0.0 * h + 1.0


def made(folder, **parameters):
    return gs.run(gs.Sweep(seed=7, **parameters), folder, progress="none")


def edge_runs(folder):
    """Runs with little in them, by name. That of the long name holds made-up numbers, some of them not finite."""
    named = gs.Sweep(activation=[gs.Activation(NAME, bent, slope), "tanh"], sigma_w=[0.8, 1.6, 2.4], depth=4, width=8,
                     networks=30, seed=7)  # fmt: skip
    grid = np.linspace(0.5, 3.0, 30)
    return {
        "one network": made(folder / "one", activation="tanh", sigma_w=1.5, depth=4, width=8, networks=1),
        "all dead": made(folder / "dead", activation="relu", sigma_w=[1.0, 1.5], depth=200, width=1, networks=5),
        "one cell": made(folder / "cell", activation="tanh", sigma_w=1.5, depth=4, width=8, networks=150),
        "depth 1": made(folder / "flat", activation="tanh", sigma_w=[1.0, 1.5], depth=1, width=8, networks=20),
        "no crossing": made(
            folder / "none", activation="tanh", sigma_w=[0.3, 0.4, 0.5], depth=[4, 6], width=[8, 16, 24], networks=50
        ),
        "300 cells": made(
            folder / "many", activation="tanh", sigma_w=grid, depth=list(range(2, 12)), width=8, networks=20
        ),
        "long name": gs.open(small_dataset.full(folder / "name", named).path),
    }  # fmt: skip
