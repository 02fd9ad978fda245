"""Measured gains beside what gradsim simulates of the same cell, with z-scores: a table of laws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import nan, sqrt
from typing import NamedTuple

import numpy as np
import pandas as pd

from gradsim.checking.measurements import Measurements
from gradsim.checking.presets import LEVEL
from gradsim.checking.structure import Chain
from gradsim.checking.tables import mean_se
from gradsim.errors import SweepError
from gradsim.simulation.ensemble import Ensemble, simulate
from gradsim_core.activations import resolve_activation

COLUMNS = [
    "places", "law", "activation", "weights", "sigma_w", "sigma_b", "depth", "width", "networks", "log_gain",
    "log_gain_se", "expected", "expected_se", "z", "reason",
]  # fmt: skip
_NETWORKS, _NORMALS = 2000, 2e9  # simulated at most: networks, and weights drawn for them
_INPUT = 0.1  # by which ln mean square of the first preactivation may differ from that of a standard normal input
_SEED = 1
_VARIES = (
    "Networks differ in their chains or streams, as with layers skipped at random: neither is compared, nor are the "
    "rules about them. Switch that off in the factory."
)


class Case(NamedTuple):
    """A part of a model that a law may describe.

    Attributes
    ----------
    places
        Its modules as words.
    cell
        Keywords of `gradsim.simulate`; None where there is no law.
    reason
        Why there is none, as a sentence.
    log_gain
        ln mean square of the gradient at its first layer over its last, of each network.
    log_q
        ln mean square of its first preactivation, mean over networks.
    """

    places: str
    cell: dict[str, object] | None
    reason: str | None
    log_gain: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    log_q: float


class ModelLaw(NamedTuple):
    """A row of the table: its name, and the parts of a model that it describes or says why it does not."""

    name: str
    cases: Callable[[Measurements], Iterator[Case]]


def compare(measured: Measurements, laws: Sequence[ModelLaw] | None = None) -> pd.DataFrame:
    """Return a row per part of the model that a law speaks of; see `Check.laws`."""
    rows = [_row(law.name, case) for law in laws or LAWS for case in law.cases(measured)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"depth": "Int64", "width": "Int64", "networks": "Int64"})


def _row(name: str, case: Case) -> tuple[object, ...]:
    gain, se = mean_se(case.log_gain) if len(case.log_gain) else (nan, nan)
    cell = case.cell or {}
    facts = [cell.get(key) for key in ("activation", "law", "sigma_w", "sigma_b", "depth", "width")]
    row = (case.places, name, *facts, len(case.log_gain) or None, gain, se)
    if case.cell is None:
        return (*row, nan, nan, nan, case.reason)
    try:
        ens, reason = _simulated(case)
    except SweepError as error:  # such as sigma_w = 1e-35
        return (*row, nan, nan, nan, f"gradsim has no such networks: {error}")
    expected, expected_se = mean_se(ens.log_gain[:, 0])
    error_of_both = sqrt(se**2 + expected_se**2)
    z = (gain - expected) / error_of_both if error_of_both else nan
    return (*row, expected, expected_se, nan if reason else z, reason)


def _simulated(case: Case) -> tuple[Ensemble, str | None]:
    """The networks of the law, and why they are not comparable, if they are not."""
    cell = dict(case.cell or {})
    fast = cell["law"] in ("gaussian", "orthogonal")
    weights = float(cell["depth"] * cell["width"] ** 2)  # type: ignore[operator]
    networks = _NETWORKS if fast else int(min(_NETWORKS, max(100.0, _NORMALS / weights)))
    method = "conditional" if fast else "explicit"
    ens = simulate(**cell, networks=networks, seed=_SEED, method=method)  # type: ignore[arg-type]
    shift = case.log_q - mean_se(ens.log_q[:, 0])[0]
    scale_free = resolve_activation(str(cell["activation"])).homogeneous and not cell["sigma_b"]
    if abs(shift) <= _INPUT or scale_free:
        return ens, None
    return ens, (
        f"The law has inputs N(0, I); here ln mean square of the first preactivation is {shift:+.2g} off. Give "
        "standardised inputs."
    )


def _plain(measured: Measurements) -> Iterator[Case]:
    """Chains of equal width with one activation of gradsim's table."""
    for chain in measured.structure.chains:
        if len(chain.modules) < 3:
            continue
        first, last = chain.modules[0], chain.modules[-1]
        cell = _cell(measured, chain)
        gain = measured.gradients[first] - measured.gradients[last]
        reason = cell if isinstance(cell, str) else None
        log_q = mean_se(measured.outputs[first])[0]
        yield Case(f"{first} … {last}", None if isinstance(cell, str) else cell, reason, gain, log_q)


def _cell(measured: Measurements, chain: Chain) -> dict[str, object] | str:
    """The cell of a chain, or the sentence why it is none."""
    names = [f"{module}.weight" for module in chain.modules]
    widths = {measured.parameters[name].shape[0] for name in names}
    if len(widths) > 1:
        return "There is no law yet of layers of different widths."
    laws = {measured.moments[name].law(LEVEL / len(names)) for name in names}
    sigmas = [measured.moments[name].std * sqrt(measured.parameters[name].fan_in) for name in names]
    if len(laws) > 1 or not laws <= {"gaussian", "uniform", "truncated_normal", "orthogonal"}:
        return f"There is no law yet of weights that are {', '.join(sorted(laws))}."
    if max(sigmas) > 1.02 * min(sigmas):
        return f"Layers differ: sigma_w goes from {min(sigmas):.4g} to {max(sigmas):.4g}."
    biases = [
        measured.moments[f"{module}.bias"].std for module in chain.modules if f"{module}.bias" in measured.moments
    ]
    try:
        resolve_activation(chain.activation)
    except (SweepError, ValueError):
        return f"gradsim's table has no activation {chain.activation}."
    return {
        "activation": chain.activation, "law": laws.pop(), "sigma_w": float(f"{np.mean(sigmas):.6g}"),
        "sigma_b": float(f"{np.mean(biases):.6g}") if biases else 0.0, "depth": len(names), "width": widths.pop(),
    }  # fmt: skip


def _streams(measured: Measurements) -> Iterator[Case]:
    for number, stream in enumerate(measured.structure.streams, 1):
        order = [branch.number for branch in stream.branches]
        gain = measured.sums[:, order[0], 3] - measured.sums[:, order[-1], 3]
        reason = "gradsim has no law of residual streams yet: see the growth exponents."
        yield Case(f"stream {number}", None, reason, gain, nan)


def _nothing(measured: Measurements) -> Iterator[Case]:
    """Models without a chain or a stream, or whose networks differ in them."""
    if measured.structure.varies:
        yield Case("model", None, _VARIES, np.empty(0), nan)
    elif not measured.structure.streams and not any(len(chain.modules) > 2 for chain in measured.structure.chains):
        yield Case("model", None, "gradsim has no law of such models yet.", np.empty(0), nan)


LAWS = (ModelLaw("plain chain", _plain), ModelLaw("residual stream", _streams), ModelLaw("none", _nothing))
"""A new law is a function of `Measurements` that yields cases, and a row here."""
