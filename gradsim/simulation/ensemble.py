"""Networks of one cell in memory: `simulate` measures them, `weights` returns the random numbers of one."""

from __future__ import annotations

import inspect
import warnings
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from gradsim.activations import check_runs_on_gpus
from gradsim.errors import SweepError, why_not_finite
from gradsim.notebook import facts_html
from gradsim.simulation.blocks import in_memory, prepare
from gradsim.simulation.devices import check_device
from gradsim.simulation.processors import processor
from gradsim.sweep import Sweep, presets, shapes
from gradsim.sweep.cells import Cell
from gradsim.sweep.networks import NetworkOptions
from gradsim.system.threads import ThreadPool, resolve_threads
from gradsim_core.architectures import METHODS
from gradsim_core.results.quantities import QUANTITIES

if TYPE_CHECKING:
    from gradsim.activations import AxisActivation
    from gradsim_core.parameters import Weights


class Ensemble(namedtuple("Ensemble", [*QUANTITIES, "status"])):  # type: ignore[misc]  # the table is the only list
    """Quantities and status of networks 0 .. n-1 of a cell.

    Quantities are float64 arrays (networks, depth) of natural logarithms, layer 1 first: -inf for exactly zero, NaN for
    non-finite. What is recorded of pairs of inputs is an attribute, too.

    Attributes
    ----------
    status
        int8 (networks,): 0 alive, 1 dead in some layer, 2 non-finite.
    """

    def __repr__(self) -> str:
        networks, depth = self.log_gain.shape
        dead, lost = (int((self.status == code).sum()) for code in (1, 2))
        return f"Ensemble(networks={networks}, depth={depth}, dead={dead}, nonfinite={lost})"

    def _repr_html_(self) -> str:
        networks, depth = self.log_gain.shape
        dead, lost = (int((self.status == code).sum()) for code in (1, 2))
        gain = self.log_gain[self.status == 0, 0]
        facts: dict[str, object] = {"networks": f"{networks:,}", "depth": depth, "dead": dead, "nonfinite": lost}
        if len(gain):
            facts["log_gain of layer 1, mean ± std"] = f"{gain.mean():.4g} ± {gain.std():.3g}"
        return facts_html("Ensemble", facts | {"quantities": ", ".join([*QUANTITIES, *vars(self)])})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> npt.NDArray[Any]: ...


Ensemble.__doc__ = inspect.cleandoc(Ensemble.__doc__ or "") + "".join(
    f"\n{row.name}\n    {row.description}." for row in QUANTITIES.values()
)


def simulate(
    activation: AxisActivation = "tanh",
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
    depth: int = 32,
    width: int = 64,
    networks: int = 1000,
    seed: int = 1,
    *,
    law: str = "gaussian",
    method: str = "explicit",
    dtype: str = "float32",
    device: str = "cpu",
    threads: int | None = None,
    quantities: str | Sequence[str] = (),
    **network: Unpack[NetworkOptions],
) -> Ensemble:
    """Simulate back-propagation through random networks of one cell.

    Parameters
    ----------
    activation : str or Activation
        Name from the table, such as ``"tanh"`` or ``"leaky_relu(0.2)"``, or a user's own pair.
    sigma_w : float
        Weight standard deviation times sqrt(fan_in), > 0.
    sigma_b : float
        Bias standard deviation, >= 0.
    depth, width : int
        Number of weight matrices; neurons in each layer.
    networks : int
        How many; the same networks 0 .. n-1 as in any sweep with this cell and seed.
    seed : int
        Seed of all random numbers.
    law : str
        Weight law, such as ``"gaussian"``, ``"orthogonal"`` or ``"sparse(0.1)"``.
    method : {"explicit", "conditional", "radial"}
        "explicit" draws real weights. The others sample the same laws exactly without them, many times faster:
        "conditional" for gaussian and orthogonal weights, "radial" if the activation is a line on each side of 0
        besides (relu, leaky_relu, linear, abs), in the same time at any width.
    dtype : {"float32", "float64"}
        Precision of the simulation.
    device : str
        What computes: "cpu"; "cuda", all NVIDIA GPUs of this computer; or some of them, "cuda:0" or "cuda:0,1". The
        numbers are the same. GPUs need ``pip install "gradsim[cuda]"``.
    threads : int, optional
        Number of threads; the numbers do not depend on it. Default: as many as this process may use.
    quantities : str or sequence of str
        With several inputs, what is recorded of pairs of inputs besides, such as ``"log_decorrelation"``, or ``"all"``.
    **network
        The kind of network, as a `Sweep` takes it: ``architecture="transformer"``, ``inputs=32``,
        ``normalisation="layer"``, ``branch_scale="1/sqrt(L)"`` …; and ``preset="he_normal"`` in place of law, sigma_w
        and sigma_b, which are then left out.

    Returns
    -------
    Ensemble
        A float64 array (networks, depth) of each quantity, and the status of each network.

    Raises
    ------
    SweepError
        If a value is not allowed; says which are.
    DeviceError
        If no GPU can be used here; says what is missing.

    Examples
    --------
    >>> ens = simulate("tanh", sigma_w=1.5, depth=32, width=64, networks=100)
    >>> ens.log_gain.shape
    (100, 32)
    """
    check_device(device)
    sweep, cell = _one_cell(
        activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=width, networks=networks, seed=seed,
        law=law, method=method, dtype=dtype, quantities=quantities, **network,
    )  # fmt: skip
    found = processor(device)
    if device != "cpu" and not isinstance(activation, str):
        check_runs_on_gpus(activation)
    runner = found.prepare(sweep, cell)
    values, status = _arrays(len(sweep.recorded), sweep.networks, cell.depth)

    def run(block: tuple[int, int]) -> None:
        first, count = block
        values[:, first : first + count], status[first : first + count] = runner.run(first, count, keep=True).networks()

    run_all(run, list(runner.blocks(0, sweep.networks, keep=True)), max(resolve_threads(threads), found.streams))
    if (status == 2).all():
        warnings.warn(str(why_not_finite(cell.activation, 1.0)), stacklevel=2)
    made = Ensemble._make([*values[: len(QUANTITIES)], status])
    vars(made).update(zip(sweep.quantities, values[len(QUANTITIES) :], strict=True))
    return made


def _arrays(quantities: int, networks: int, depth: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Room for the quantities and the status of so many networks."""
    try:
        return np.empty((quantities, networks, depth)), np.empty(networks, np.int8)
    except (MemoryError, ValueError):  # ValueError: more than NumPy can address
        allowed = f"as many as fit in memory, at {8 * quantities} bytes per network and layer"
        remedy = "Use fewer networks, or run a Sweep, which stores statistics only"
        raise SweepError("networks", networks, allowed, remedy) from None


def run_all(run: Callable[[Any], None], items: list[Any], threads: int) -> None:
    """Call `run` on every item in a thread pool; a single item too, so that the arrays kept by its thread are freed."""
    with ThreadPool(threads) as pool:
        for _ in pool.map(run, items):
            pass


def weights(network: int = 0, **cell: Any) -> Weights:
    """Return the input, weights, biases and readout of one network exactly as simulated.

    Parameters
    ----------
    network : int
        Which network of the cell, from 0.
    **cell
        The cell, as `simulate` takes it; networks, device and threads are ignored.

    Returns
    -------
    Weights
        NamedTuple ``x0`` (width,), ``W`` (depth, width, width), ``b`` (depth, width), ``v`` (width,) in the
        precision of the simulation. Orthogonal weights are returned as the product of their reflections, to rounding.

    Raises
    ------
    SweepError
        If a value is not allowed; says which are.

    Examples
    --------
    >>> weights(network=3, activation="tanh", sigma_w=1.5, depth=4, width=8).W.shape
    (4, 8, 8)
    """
    if isinstance(network, bool) or not isinstance(network, (int, np.integer)) or not 0 <= network < 2**48:
        raise SweepError("network", network, "a whole number from 0 to 2^48 - 1", "Write for example network = 0")
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(simulate).parameters.items()
        if name not in ("networks", "device", "threads", "network")
    }
    method = cell.get("method")
    if isinstance(method, str) and method in METHODS and method != "explicit":
        remedy = "Leave method out: all methods have the same laws, but not the same networks"
        raise SweepError("method", method, "explicit, since the other methods draw no weights", remedy)
    physics = {name: value for name, value in cell.items() if name not in ("networks", "device", "threads")}
    check_device("cpu")
    sweep, one = _one_cell(**(defaults | physics | {"networks": 1}))
    others = [axis for axis in sweep.network_axes if axis != "preset"]
    if others:
        axis = others[0]
        remedy = "Leave it out: the matrices of other networks are drawn again when they are needed, and not kept"
        raise SweepError(axis, getattr(one, axis), "left out: weights are those of plain networks of one input", remedy)
    simulator, params = prepare(sweep, one)
    with in_memory(params):
        return simulator.weights(params, int(network))


def _one_cell(**values: Any) -> tuple[Sweep, Cell]:
    """A sweep of one cell; what a preset or layers stand for is left out where it is at its default."""
    names = [*(presets.STOOD_FOR if presets.are_named(values) else ())]
    names += shapes.STOOD_FOR if shapes.are_given(values) else ()
    defaults = {name: inspect.signature(simulate).parameters[name].default for name in names}
    stood_for = {name for name in names if values[name] == defaults[name]}
    sweep = Sweep(**{name: value for name, value in values.items() if name not in stood_for})
    if sweep.cell_count != 1:
        raise SweepError("cells", sweep.cell_count, "one cell", "Give one value for each parameter, or run a Sweep")
    return sweep, sweep.cells()[0]
