"""Runs claims: our number, the negative control, the second route of a dispute, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradsim.errors import SweepError
from gradsim.system.progress import Mode, Share, check_mode
from gradsim.theory.errors import NoCriticalPoint
from gradsim.validation.claims import VALUE, Claim, Source, load
from gradsim.validation.estimators import ESTIMATORS, Estimate
from gradsim.validation.tables import frame
from gradsim.validation.verdicts import Outcome, Verdict, judge

if TYPE_CHECKING:
    import pandas as pd

_FULL = 40.0  # weight of a full claim beside a quick one, for the progress alone


def validate(
    sources: str | Path | Sequence[str | Path] | None = None, quick: bool = False, progress: Mode = "auto"
) -> pd.DataFrame:
    """Recompute published numbers and return a verdict on each.

    Parameters
    ----------
    sources
        Names of shipped sources, such as "schoenholz-2017", or paths of TOML files of claims; None: all shipped.
    quick
        Leave out claims that need long simulations: less than a minute for all sources.
    progress
        "auto", "bar", "log", "json" or "none", on standard error.

    Returns
    -------
    pandas.DataFrame
        A row per claim: id, what, where, link, basis, claimed, ours, standard_error, deviation, allowed, margin,
        verdict, reason, control, control_ours, control_margins, second_route, second, estimator, cost, seconds. The
        verdicts are those of `gradsim.validation.VERDICTS`. ``control_margins`` is how many margins the number with the
        planted error of 2 % is off: above 1 it is caught.

    Raises
    ------
    SweepError
        Unknown source, or a claim that is not valid: says which. Nothing has been computed.
    SweepFileError
        A file that cannot be read, or is not TOML.

    Examples
    --------
    >>> validate("he-2015", progress="none")["verdict"].isin(["confirmed", "refined"]).all()
    np.True_
    """
    check_mode(progress)
    loaded = load(sources)
    with Share("validate", progress) as share:
        return frame(list(run(loaded, quick, share)))


def run(sources: Sequence[Source], quick: bool = False, share: Share | None = None) -> Iterator[Outcome]:
    """Yield the outcome of every claim; of the quick ones only, if asked."""
    chosen = [(source, claim) for source in sources for claim in source.claims if not (quick and claim.cost == "full")]
    weights = [_FULL if claim.cost == "full" else 1.0 for _, claim in chosen]
    for (source, claim), weight in zip(chosen, weights, strict=True):
        yield decide(source, claim)
        if share is not None:
            share.add(weight / sum(weights))


def decide(source: Source, claim: Claim) -> Outcome:
    """Recompute one claim."""
    if claim.beyond is not None:
        return Outcome(source, claim, Verdict("beyond scope", claim.beyond))
    estimator, start = ESTIMATORS[str(claim.estimator)], time.monotonic()
    try:
        ours = estimator(claim.given)
        control = _with_error(claim, ours)
        second = ESTIMATORS[claim.dispute.route](claim.given) if claim.dispute else None
    except SweepError as error:
        raise error.at(f"{source.name}/{claim.id}") from None
    except (NoCriticalPoint, ArithmeticError, LookupError, ValueError) as error:
        reason = f"There is no number: {error}"
        return Outcome(source, claim, Verdict("failed", reason), seconds=time.monotonic() - start)
    verdict = judge(claim, ours, control, second)
    return Outcome(source, claim, verdict, ours, control, second, time.monotonic() - start)


def _with_error(claim: Claim, ours: Estimate) -> Estimate:
    """Our number with the planted error; infinite where there is none then."""
    if claim.control == VALUE:
        return Estimate(1.02 * ours.value, ours.error)
    try:
        return ESTIMATORS[str(claim.estimator)](claim.given, claim.control)
    except NoCriticalPoint:
        return Estimate(float("inf"))
