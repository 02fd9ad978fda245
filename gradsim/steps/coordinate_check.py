"""The coordinate check: do signals keep their size, and features move alike, as networks are made wider?"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from gradsim.errors import SweepError
from gradsim.steps import exponents
from gradsim.steps.check_result import MEASURES, CoordinateCheck, expected, verdict
from gradsim.steps.problem import Problem, TrainingOptions
from gradsim.steps.result import TrainingSteps
from gradsim.steps.simulate import check_networks, train
from gradsim.system.progress import Mode, Share, check_mode
from gradsim.system.threads import resolve_threads

if TYPE_CHECKING:
    from gradsim.activations import AxisActivation

WIDTHS = (64, 256, 1024, 4096)
FEWEST = 8  # networks of a width


def coordinate_check(
    activation: AxisActivation = "tanh",
    *,
    widths: Sequence[int] = WIDTHS,
    networks: int = 100,
    level: float = 0.95,
    threads: int | None = None,
    progress: Mode = "none",
    **options: Unpack[TrainingOptions],
) -> CoordinateCheck:
    """Measure how sizes and changes of signals depend on the width, at initialisation and after steps of training.

    Networks of each width are trained alike, with the learning rate of the parametrisation. For each step and layer a
    power of the width is fitted to the median over networks of four sizes: forward, h and its change since step 0;
    backward, delta = dC/dh and its change. A learning rate carries over to wider networks if h of hidden layers moves
    alike at every width: an exponent of 0, as in mup. With ntk the exponent is -1/2: hidden features do not move in
    wide networks. With standard and a fixed learning rate it is positive: wide networks diverge.

    Parameters
    ----------
    activation : str or Activation
        Name from the table, or a user's own pair.
    widths : sequence of int
        Two or more; up to 10^6 with the conditional method.
    networks : int
        How many of each width.
    level : float
        Coverage probability of the intervals: percentiles of a bootstrap over networks, of 1,000 samples.
    threads, progress
        As for `simulate_training`.
    **options
        depth, sigma_w, learning_rate and the other options of `simulate_training`.

    Returns
    -------
    CoordinateCheck
        Exponents with intervals, verdicts in words, and the sizes that were fitted.

    Raises
    ------
    SweepError
        If a value is not allowed; says what is.

    Examples
    --------
    >>> found = coordinate_check(
    ...     widths=[64, 128, 256], depth=2, sigma_w=1.5, learning_rate=0.1, steps=1, parametrisation="ntk", networks=64
    ... )
    >>> found.verdicts.loc[0, "verdict"]
    'falls'
    """
    known = _widths(widths)
    if "width" in options:
        raise SweepError("width", options["width"], "left out", "Give all widths as widths=[64, 256, 1024, 4096]")
    if not isinstance(level, (int, float)) or not 0.0 < level < 1.0:
        raise SweepError("level", level, "a number between 0 and 1", "Write for example level=0.95")
    given: dict[str, Any] = {**options, "activation": activation}
    problems = [Problem(**given, width=width) for width in known]
    networks, threads = check_networks(networks), resolve_threads(threads)
    if networks < FEWEST:
        allowed = f"{FEWEST} or more: intervals come from drawing networks again, and of fewer they say nothing"
        raise SweepError("networks", networks, allowed, "Write for example networks=50")
    check_mode(progress)
    work = [problem.numbers for problem in problems]
    found = []
    with Share("coordinate check", progress) as share:
        for problem, part in zip(problems, work, strict=True):
            found.append(train(problem, networks, threads, "none"))
            share.add(part / sum(work))
    rows = _exponents(problems[0], found, level)
    return CoordinateCheck(problems[0], tuple(known), networks, level, rows, _sizes(found))


def _widths(widths: Any) -> list[int]:
    """The widths in order; SweepError unless there are two or more."""
    with suppress(TypeError):
        known = sorted({operator.index(width) for width in widths if not isinstance(width, bool)})
        if len(known) > 1 and known[0] > 0:
            return known
    raise SweepError("widths", widths, "two whole numbers > 0 or more", "Write for example widths=[64, 256, 1024]")


def _exponents(problem: Problem, found: list[TrainingSteps], level: float) -> pd.DataFrame:
    """A row per step, layer, direction and measure."""
    widths = np.array([each.problem.width for each in found], np.float64)
    values = [np.stack([each.values[name] for name in MEASURES.values()], 1) for each in found]
    shape = values[0].shape[1:]
    fits = exponents.fit(widths, [each.reshape(len(each), -1) for each in values], level, problem.seed)
    columns = {name: each.reshape(shape) for name, each in fits._asdict().items()}
    diverged = np.any([~np.isfinite(each).all(0) for each in values], axis=0)
    rows = []
    for step in range(problem.steps + 1):
        for i in range(problem.depth + 1):
            for m, (direction, measure) in enumerate(MEASURES):
                if measure == "change" and step == 0:
                    continue
                at = m, step, i
                ends = float(columns["low"][at]), float(columns["high"][at])
                said = verdict(*ends, bool(diverged[at]))
                rows.append({
                    "step": step, "layer": i + 1, "direction": direction, "measure": measure,
                    "exponent": float(columns["exponent"][at]), "ci_low": ends[0], "ci_high": ends[1],
                    "expected": expected(problem, step, i + 1, direction, measure), "verdict": said,
                })  # fmt: skip
    return pd.DataFrame(rows)


def _sizes(found: list[TrainingSteps]) -> pd.DataFrame:
    """The statistics of each width."""
    back = {name: key for key, name in MEASURES.items()}
    tables = []
    for each in found:
        table = each.table(list(MEASURES.values()))
        table.insert(0, "width", each.problem.width)
        table.insert(3, "direction", [back[name][0] for name in table["quantity"]])
        table.insert(4, "measure", [back[name][1] for name in table["quantity"]])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
