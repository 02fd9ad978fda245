"""The singular values and Lyapunov exponents of input-output Jacobians of random networks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gradsim.errors import SweepError, suggestion, why_not_finite
from gradsim.simulation.blocks import in_memory, prepare
from gradsim.simulation.ensemble import run_all
from gradsim.spectra.networks import METHODS, Plan, Row
from gradsim.spectra.result import Cell, Jacobian
from gradsim.sweep import Sweep
from gradsim.system.threads import resolve_threads
from gradsim.theory.errors import check_count, check_number
from gradsim.theory.infinite_width.spectrum import check_output

if TYPE_CHECKING:
    from gradsim.activations import AxisActivation

WIDEST = 256
"""Largest width of the explicit method."""
MOST_STEPS = 100
"""Steps of Lanczos after which it stops, unless more are asked for."""


def jacobian(
    activation: AxisActivation = "tanh",
    *,
    width: int = 64,
    depth: int = 32,
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
    law: str = "gaussian",
    method: str | None = None,
    output: str = "activation",
    top: int = 4,
    networks: int = 100,
    seed: int = 1,
    threads: int | None = None,
    tolerance: float = 0.01,
    steps: int | None = None,
) -> Jacobian:
    """Compute singular values and Lyapunov exponents of the input-output Jacobians of random networks.

    J = dx^L / dx^0 = D_L W_L ... D_1 W_1, with D_l the slopes phi'(h^l) in layer l at a random input, as Pennington,
    Schoenholz and Ganguli 2017 define it (arXiv:1711.04735).

    Parameters
    ----------
    activation : str or Activation
        Name from the table, such as ``"tanh"``, or a user's own pair.
    width, depth : int
        Neurons in each layer; number of weight matrices.
    sigma_w, sigma_b : float
        Weight standard deviation times sqrt(fan_in), > 0; bias standard deviation.
    law : str
        Weight law.
    method : {"explicit", "conditional"}, optional
        "explicit" finds all singular values of networks up to width 256, those that `weights` and `simulate` draw in
        float64 with the same cell and seed. "conditional" finds the largest ones, at any width, for gaussian and
        orthogonal weights, by Lanczos' method with matrices that are never drawn. Default: by width.
    output : {"activation", "preactivation"}
        Where J ends: "preactivation" leaves D_L out, dh^L / dx^0.
    top : int
        How many singular values the conditional method finds, to the width.
    networks : int
        How many; networks 0 .. n-1 of the cell.
    seed : int
        Seed of all random numbers.
    threads : int, optional
        Number of threads; the numbers do not depend on it. Default: as many as this process may use.
    tolerance : float
        Conditional method: Lanczos stops when the estimated error of every ln s is at most this.
    steps : int, optional
        Conditional method: most steps of Lanczos, from `top`. Each takes 2 N normals and 32 N bytes a layer.
        Default: 100, if the width is not smaller.

    Returns
    -------
    Jacobian
        Its `log_singular_values`, `lyapunov`, `rank`, `condition`, `moments()`, `table()` and `theory`.

    Raises
    ------
    SweepError
        If a value is not allowed; says which are.

    Examples
    --------
    >>> found = jacobian("tanh", width=16, depth=8, law="orthogonal", networks=10)
    >>> found.log_singular_values.shape
    (10, 16)
    """
    check_output(output)
    method = _check_method(method, width)
    sweep = Sweep(
        activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=width, networks=networks, seed=seed,
        law=law, method=method, dtype="float64",
    )  # fmt: skip
    if sweep.cell_count != 1:
        raise SweepError("cells", sweep.cell_count, "one cell", "Give one value for each parameter")
    cell = sweep.cells()[0]
    if method == "explicit" and cell.width > WIDEST:
        remedy = 'Write method = "conditional", which finds the largest singular values at any width'
        raise SweepError("width", cell.width, f"at most {WIDEST} for all singular values", remedy)
    plan = _plan(cell.width, output, top, tolerance, steps)
    rows = _rows(sweep, plan, threads)
    if all(row.status == 2 for row in rows):
        warnings.warn(str(why_not_finite(cell.activation, 1.0)), stacklevel=2)
    made = Cell(
        sweep.find_activation(cell.activation), cell.activation, cell.width, cell.depth, cell.sigma_w, cell.sigma_b,
        cell.law, method, output, sweep.seed,
    )  # fmt: skip
    return Jacobian(made, *(np.array(column) for column in zip(*rows, strict=True)))


def _check_method(method: object, width: object) -> str:
    if method is None:
        return "explicit" if not isinstance(width, (int, np.integer)) or width <= WIDEST else "conditional"
    if method not in METHODS:
        allowed = f"one of {', '.join(METHODS)} for the Jacobian"
        raise SweepError("method", method, allowed, suggestion(method, METHODS))
    return str(method)


def _plan(width: int, output: str, top: int, tolerance: float, steps: int | None) -> Plan:
    top = min(check_count("top", top), width)
    tolerance = check_number("tolerance", tolerance, "a number > 0", 5e-324)
    steps = max(MOST_STEPS, top) if steps is None else check_count("steps", steps)
    if steps < top:
        raise SweepError("steps", steps, f"at least top, {top}", "Leave it out")
    return Plan(output == "activation", top, tolerance, min(steps, width))


def _rows(sweep: Sweep, plan: Plan, threads: int | None) -> list[Row]:
    """Run every network by itself on a thread pool."""
    simulator, params = prepare(sweep, sweep.cells()[0])
    rows: dict[int, Row] = {}

    def run(number: int) -> None:
        with np.errstate(all="ignore"):  # overflow is data
            rows[number] = METHODS[sweep.method](simulator, params, number, plan)

    with in_memory(params):
        run_all(run, list(range(sweep.networks)), resolve_threads(threads))
    return [rows[number] for number in range(sweep.networks)]
