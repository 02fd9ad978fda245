"""`check`: a PyTorch model's initialisation, measured over seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradsim.checking import growth, laws, presets, tables
from gradsim.checking.facts import Facts
from gradsim.checking.measurements import Measurements, measure
from gradsim.checking.models import Networks
from gradsim.checking.result import Check
from gradsim.checking.rules.table import verdicts
from gradsim.errors import whole_number
from gradsim.system.progress import Mode, Share, check_mode

_MEASURING = 0.9  # of the work


def check(
    model: Any,
    batch: Any = None,
    networks: int = 32,
    seed: int = 1,
    *,
    init: Callable[[Any], object] | None = None,
    progress: Mode = "auto",
) -> Check:
    """Initialise a PyTorch model many times, measure activations and gradients, and say which choices are at fault.

    No labels and no loss are needed: as in gradsim, the cost is a random readout of the output, C = v . out with
    v ~ N(0, 1/n), where n is the size of the output's last dimension. Each output has its own readout, except hidden
    outputs from which another output is computed, and losses that accompany other outputs.

    Parameters
    ----------
    model : callable or torch.nn.Module
        Best a factory without arguments, which returns a model or (model, batch): it is called once per network after
        ``torch.manual_seed``. An instance is copied instead, and initialised by ``init``, or by the
        ``reset_parameters`` of its modules. Where these give entries that differ from those of the instance, it is
        refused; by chance in 1 of 10,000 checks.
    batch : tensor, tuple or dict, optional
        What the model is called with: one argument, several, or keywords. Needed unless the factory returns it. Inputs
        of mean square 1 can be compared with gradsim's laws.
    networks : int
        How many, from 8.
    seed : int
        Of the first; the next ones follow. The state of PyTorch's generators is kept.
    init : callable, optional
        Called with each copy of an instance.
    progress : {"auto", "bar", "log", "json", "none"}
        On standard error.

    Returns
    -------
    Check
        ``verdicts``, ``modules``, ``parameters``, ``presets``, ``growth``, ``laws``: pandas tables. Printing it shows
        the main ones; ``sound`` is whether there is no verdict.

    Raises
    ------
    SweepError
        If a value is not allowed; says which are. If every seed gives the same network.
    TorchExtraMissingError
        Without PyTorch.

    Notes
    -----
    The model runs in training mode with dropout off, in functions and attributes called ``dropout``, too; masks that it
    draws itself stay. Each threshold is tested one-sided at 1e-4 over networks, and all
    comparisons of weights with presets together at 1e-3: a model that lies exactly on a threshold gives a false verdict
    once in 10,000 checks per rule.

    A rule needs what it looks at to be visible in one forward pass: residual sums are ``x + f(x)`` of two tensors of
    one shape, whatever the modules are called.
    """
    check_mode(progress)
    networks = whole_number("networks", networks, 8, 2**31, "Standard errors over seeds need some networks")
    seed = whole_number("seed", seed, 0, 2**63 - 1 - networks, "Write for example seed = 1")
    source = Networks(model, batch, init)
    with Share("check", progress) as share:
        measured = measure(source, networks, seed, lambda done: share.add(_MEASURING * done))
        found = _found(measured, seed)
        share.add(1.0)
    return found


def _found(measured: Measurements, seed: int) -> Check:
    with np.errstate(invalid="ignore"):  # -inf minus -inf, of gradients that are exactly zero: unknown
        return _tables(measured, seed)


def _tables(measured: Measurements, seed: int) -> Check:
    fitting = presets.compare(measured)
    return Check(
        measured.networks,
        seed,
        measured.kinds[""],
        verdicts(Facts(measured, fitting)),
        tables.modules(measured),
        tables.parameters(measured, fitting),
        fitting,
        growth.growth(measured),
        laws.compare(measured),
    )
