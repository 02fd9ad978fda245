"""The catalogue: every lesson in a module of its own, and the table of them.

To add a lesson, write its module here, with a function of the module's name that returns a DataFrame and its `LESSON`,
and add a row to `SUMMARIES`. Functions, command line, index, tests and documentation follow from the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd

    from gradsim.lessons.lesson import Lesson

SUMMARIES = {
    "depth-hurts": "more hidden layers, yet a worse classifier",
    "bars": "the gradient of every neuron, before training",
    "speeds": "how fast each layer would learn, in thousands of networks",
    "training-speeds": "the same through training, and what it means",
    "perturbation": "a small change on its way through the network",
    "chain": "one neuron a layer: the product behind it all",
    "exploding": "when the factors exceed 1",
    "remedies": "activations, initialisation, normalisation, residual branches",
    "recurrent": "the same through time",
    "descent": "gradient descent, whole batches and single samples",
}
"""What each lesson shows, in the order in which they are taught; its module has the name with "_" for "-"."""


class Catalogue(Mapping[str, "Lesson"]):
    """The lessons by name, in order. A lesson's module is imported when it is asked for; names alone need none."""

    def __getitem__(self, name: str) -> Lesson:
        if name not in SUMMARIES:
            raise KeyError(name)
        return cast("Lesson", _module(name).LESSON)

    def __iter__(self) -> Iterator[str]:
        return iter(SUMMARIES)

    def __len__(self) -> int:
        return len(SUMMARIES)


def function_names() -> dict[str, str]:
    """Return the name of each lesson's function, with that of the lesson."""
    return {name.replace("-", "_"): name for name in SUMMARIES}


def function(name: str) -> Callable[..., pd.DataFrame]:
    """Return the function of a lesson in `SUMMARIES`: measures and returns the lesson's main table."""
    return cast("Callable[..., pd.DataFrame]", getattr(_module(name), name.replace("-", "_")))


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name.replace('-', '_')}")
