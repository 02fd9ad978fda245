"""Switches dropout off: that of modules, and that of functions which a model calls itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# Where functions that are not called dropout have their rate: place and keyword.
_PLACES = {"scaled_dot_product_attention": (4, "dropout_p"), "multi_head_attention_forward": (10, "dropout_p")}


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """Switch dropout off while the context is open: modules, attributes called ``dropout``, functions.

    Not reached: masks that a model draws itself, such as those of drop path, and compiled or scripted functions.

    Parameters
    ----------
    model
        In training mode. Attributes are set back at the end.
    """
    import torch

    kept = []
    for module in model.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            kept.append((module, "training", module.training))
            module.training = False
        rate = getattr(module, "dropout", None)
        if isinstance(rate, (int, float)) and not isinstance(rate, bool):
            with suppress(AttributeError, RuntimeError):  # of properties, and of scripted modules
                module.dropout = 0.0
                kept.append((module, "dropout", rate))
    try:
        with _mode():
            yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)


def _mode() -> Any:
    """Return a context in which functions of PyTorch drop nothing."""
    from torch.overrides import TorchFunctionMode

    class Kept(TorchFunctionMode):  # type: ignore[misc]  # torch is optional
        def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            del types
            name, options = str(getattr(function, "__name__", "")), dict(options or {})
            index, keyword = (1, "p") if "dropout" in name and name[0] != "_" else _PLACES.get(name, (0, ""))
            if keyword and len(arguments) > index:
                arguments = (*arguments[:index], 0.0, *arguments[index + 1 :])
            elif keyword:
                options[keyword] = 0.0
            return function(*arguments, **options)

    return Kept()
