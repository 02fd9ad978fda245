"""Networks of a user's model, one a seed: from a factory, or from copies of an instance."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from gradsim.checking.instance import Instance
from gradsim.errors import GradsimError, SweepError

_SMALL = 5_000_000  # parameters of a model that one thread computes as fast
_RESETS = ("reset_parameters", "_reset_parameters")


class TorchExtraMissingError(GradsimError, ImportError):
    """PyTorch is not installed."""

    exit_code = 2


def torch_module() -> Any:
    """Return PyTorch.

    Raises
    ------
    TorchExtraMissingError
        If it is not installed; says how to install it.
    """
    try:
        import torch
    except ImportError as error:
        raise TorchExtraMissingError(
            'check needs PyTorch, which is not installed. Install it with: pip install "gradsim[torch]"'
        ) from error
    return torch


@contextmanager
def one_thread(parameters: int) -> Iterator[None]:
    """Let PyTorch compute small models in one thread while the context is open.

    On two busy cores, its threads waited for each other 17 times as long as one thread took for all of the work.
    """
    torch = torch_module()
    threads = torch.get_num_threads()
    try:
        if parameters < _SMALL:
            torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Set PyTorch's seed while the context is open, and bring its generators back at its end."""
    torch = torch_module()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


class Networks:
    """Makes a model and its batch for a seed.

    Parameters
    ----------
    model
        A factory, which returns a model or (model, batch), or a module, which is copied.
    batch
        What the model is called with: a tensor, a tuple of arguments or a dictionary of keywords. None where the
        factory makes it.
    init
        Called with each copy of a module, to set its parameters; None: the ``reset_parameters`` of its parts.
    """

    def __init__(self, model: Any, batch: Any, init: Callable[[Any], object] | None) -> None:
        torch = torch_module()
        self._is_module = isinstance(model, torch.nn.Module)
        if not self._is_module and not callable(model):
            allowed = "a torch.nn.Module, or a function that returns one"
            raise SweepError("model", model, allowed, "Give a function that builds the model, or the model itself")
        if self._is_module and batch is None:
            raise SweepError("batch", batch, "what the model is called with", "Give a tensor as the second argument")
        self._model, self._batch, self._init = model, batch, init
        self._instance: Instance | None = None
        if self._is_module and init is None:
            _check_resets(model)
            self._instance = Instance(model)

    def __call__(self) -> tuple[Any, Any]:
        """Return a new network and its batch, from PyTorch's generator as it stands."""
        made = self._copy() if self._is_module else self._model()
        parts = made if isinstance(made, tuple) else (made, None)
        if len(parts) != 2 or not hasattr(parts[0], "named_modules"):
            allowed = "a factory of a torch.nn.Module, or of (model, batch)"
            remedy = "Return (model, batch), where batch is a tuple if the model takes several arguments"
            raise SweepError("model", made, allowed, remedy)
        model, batch = parts
        if any(isinstance(module, torch_module().jit.ScriptModule) for module in model.modules()):
            allowed = "modules of Python, which can have hooks"
            raise SweepError("model", type(model).__name__, allowed, "Give the model before torch.jit.script")
        batch = self._batch if self._batch is not None else batch
        if batch is None:
            raise SweepError("batch", None, "what the model is called with", "Return (model, batch) from the factory")
        _materialise(model, batch)
        if self._instance is not None:
            self._instance.add(model)
        return model, batch

    def _copy(self) -> Any:
        try:
            model = deepcopy(self._model)
        except (RuntimeError, TypeError, ValueError) as error:  # as of lazy normalisations, and of computed tensors
            name = type(self._model).__name__
            raise SweepError("model", name, "a module that copy.deepcopy can copy", _REMEDY) from error
        if self._init is not None:
            self._init(model)
        else:
            model.apply(_reset)  # parts before what holds them, as constructors do
        return model

    def check_initialisation(self) -> None:
        """Raise unless the module that was given has entries like its copies, which ``reset_parameters`` drew."""
        deviation = self._instance.deviation() if self._instance is not None else None
        if deviation is not None:
            allowed = f"a module whose reset_parameters gives what it has (here {deviation.drawn})"
            raise SweepError("model", f"{deviation.given} in {deviation.parameter}", allowed, _REMEDY)


_REMEDY = "Give a function that builds and initialises the model, or the function that initialises it as init="


def _reset(module: Any) -> None:
    reset = _reset_of(module)
    if reset is not None:
        reset()


def _reset_of(module: Any) -> Callable[[], object] | None:
    return next((found for name in _RESETS if callable(found := getattr(module, name, None))), None)


def _check_resets(model: Any) -> None:
    """Raise if a module has parameters of its own, and nothing that sets them."""
    for name, module in model.named_modules():
        own = [key for key, _ in module.named_parameters(recurse=False)]
        if own and _reset_of(module) is None:
            value = f"{type(module).__name__} {name}".rstrip()
            raise SweepError("model", value, "modules with reset_parameters", _REMEDY)


def _materialise(model: Any, batch: Any) -> None:
    """Let lazy modules find their shapes, and draw their parameters, by one call."""
    torch = torch_module()
    if not any(torch.nn.parameter.is_lazy(parameter) for parameter in model.parameters()):
        return
    with torch.no_grad():
        call(model, with_gradient(batch))
    for name, parameter in model.named_parameters():
        if torch.nn.parameter.is_lazy(parameter):
            allowed = "parameters that have a shape once the model was called"
            raise SweepError("model", name, allowed, "Take modules that are not lazy there, or call them in forward")


def call(model: Any, batch: Any) -> Any:
    """Call a model with a batch: a tuple or list is its arguments, a dictionary its keywords."""
    if isinstance(batch, Mapping):
        return model(**batch)
    return model(*batch) if isinstance(batch, (tuple, list)) and not _is_packed(batch) else model(batch)


def _is_packed(batch: Any) -> bool:
    """Whether it is a `PackedSequence`, a tuple that is one argument."""
    return isinstance(batch, torch_module().nn.utils.rnn.PackedSequence)


def with_gradient(batch: Any) -> Any:
    """Return a batch whose tensors of floating-point numbers have a gradient, which shows what depends on them."""
    torch = torch_module()
    if isinstance(batch, torch.Tensor):
        if not batch.numel():
            shape = f"a tensor of shape {tuple(batch.shape)}"
            raise SweepError("batch", shape, "tensors with numbers in them", "Give one sample or more")
        # A copy that is no leaf: models may change their input in place.
        return batch.detach().requires_grad_().clone() if batch.is_floating_point() else batch
    if isinstance(batch, Mapping):
        return {name: with_gradient(part) for name, part in batch.items()}
    if not isinstance(batch, (tuple, list)):
        return batch
    parts = map(with_gradient, batch)
    return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)  # named tuples, packed sequences


def load(target: str) -> Callable[..., Any]:
    """Return the object that ``module:name`` or ``path/file.py:name`` names.

    Raises
    ------
    SweepError
        If there is no such module, file or name.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        allowed = "module:factory or path/file.py:factory"
        raise SweepError("MODEL", target, allowed, "Write for example gradsim check mymodels.py:build")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_path(place)
    if not hasattr(module, name):
        raise SweepError("MODEL", target, f"a name that {place} defines", f"Define a function {name} there")
    return getattr(module, name)  # type: ignore[no-any-return]


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise SweepError("MODEL", str(path), "a Python file that exists", "Check the path")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    with _importing_from(path.resolve().parent):
        spec.loader.exec_module(module)
    return module


def _from_path(place: str) -> Any:
    with _importing_from(Path.cwd()):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{place}.".startswith(f"{error.name}."):
                raise
            remedy = "Start gradsim in the folder that holds it, or give the path of its file"
            raise SweepError("MODEL", place, "a module that can be imported", remedy) from None


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let Python find modules in a folder while the context is open."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
