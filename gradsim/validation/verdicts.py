"""From a claim and our numbers to a verdict: a pure function."""

from __future__ import annotations

import math
from typing import NamedTuple

from gradsim.validation import formulas
from gradsim.validation.claims import Claim, Source
from gradsim.validation.estimators import Estimate

VERDICTS = {
    "confirmed": "our number agrees with the claimed one within the margin",
    "refined": "our number agrees at the digits printed, and has more of them",
    "disputed": "our number contradicts the published one, and a second route agrees with ours",
    "beyond scope": "gradsim does not compute this number; the reason is given",
    "failed": "our number, the claim or its control is wrong: to be looked at",
}

_SAME = 1e-8  # relative difference of two routes to one number
_EXACT = 1e-10  # relative accuracy of numbers that are not simulated
_FEWER = 10  # significant digits from which on a printed number has as many as ours


class Verdict(NamedTuple):
    """A verdict.

    Attributes
    ----------
    name
        A key of `VERDICTS`.
    reason
        A sentence, for all but confirmed.
    """

    name: str
    reason: str = ""


class Outcome(NamedTuple):
    """A claim and what came of it; the estimates are None where nothing was computed."""

    source: Source
    claim: Claim
    verdict: Verdict
    ours: Estimate | None = None
    control: Estimate | None = None
    second: Estimate | None = None
    seconds: float = 0.0


class Comparison(NamedTuple):
    """A number of ours beside a claimed one.

    Attributes
    ----------
    deviation
        Ours less the claimed one.
    allowed
        The largest |deviation| that is agreement.
    """

    deviation: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether the numbers agree; NaN agrees with nothing."""
        return abs(self.deviation) <= self.allowed

    @property
    def ratio(self) -> float:
        """|deviation| in margins."""
        return abs(self.deviation) / self.allowed if self.allowed else math.inf


def compare(claim: Claim, ours: Estimate) -> Comparison:
    """Compare our number with the claimed one."""
    assert claim.value is not None
    assert claim.margin is not None
    claimed = formulas.evaluate(claim.value)
    error = math.hypot(ours.error, claim.value_error)
    return Comparison(ours.value - claimed, claim.margin.allowed(claimed, formulas.last_place(claim.value), error))


def compare_instead(claim: Claim, ours: Estimate) -> Comparison:
    """Compare our number with the one that a dispute puts in place of the claimed one, at its digits."""
    assert claim.dispute is not None
    right = formulas.evaluate(claim.dispute.instead)
    place = formulas.last_place(claim.dispute.instead)
    rounding = _SAME * abs(right) if place is None else 0.5 * place * (1.0 + 1e-6)
    return Comparison(ours.value - right, rounding + 4.0 * ours.error)


def judge(claim: Claim, ours: Estimate, control: Estimate, second: Estimate | None = None) -> Verdict:
    """Return the verdict on a claim that was recomputed.

    Parameters
    ----------
    claim
        The claim.
    ours
        Our number.
    control
        Our number with a planted error of 2 %, which must not agree.
    second
        By the second route, for a dispute.
    """
    found = compare(claim, ours)
    if math.isnan(found.deviation):
        return Verdict("failed", "Our number is NaN.")
    target = compare_instead if claim.dispute else compare
    if target(claim, control).agrees:
        return Verdict("failed", f"The planted error of 2 % in {claim.control} is not caught: {control.value:.10g}.")
    if claim.dispute is not None:
        return _dispute(claim, ours, found, second)
    if not found.agrees:
        off = f"off by {found.deviation:+.3g}; allowed {found.allowed:.3g}"
        return Verdict("failed", f"Ours is {ours.value:.10g}, {off}.")
    return _refined(claim, ours) or Verdict("confirmed")


def _dispute(claim: Claim, ours: Estimate, found: Comparison, second: Estimate | None) -> Verdict:
    assert claim.dispute is not None
    if found.agrees:
        return Verdict("failed", f"The claim is marked as disputed, but ours agrees with it: {ours.value:.10g}.")
    if second is None or not _routes_agree(ours, second):
        other = "missing" if second is None else f"{second.value:.10g}"
        return Verdict("failed", f"Ours is {ours.value:.10g}, by the route {claim.dispute.route} it is {other}.")
    if not compare_instead(claim, ours).agrees:
        return Verdict("failed", f"Ours is {ours.value:.10g}, not {claim.dispute.instead}, which the dispute gives.")
    claimed = formulas.evaluate(str(claim.value))
    return Verdict(
        "disputed",
        f"Claimed {claimed:.10g} is off by {100 * (claimed / ours.value - 1):+.2g} %: it is {claim.dispute.instead}. "
        f"Check: {claim.dispute.check}",
    )  # fmt: skip


def _routes_agree(ours: Estimate, second: Estimate) -> bool:
    allowed = _SAME * abs(ours.value) + 4.0 * math.hypot(ours.error, second.error)
    return abs(ours.value - second.value) <= allowed


def _refined(claim: Claim, ours: Estimate) -> Verdict | None:
    """Whether a rounded or measured number of the source is now known better."""
    place = formulas.last_place(str(claim.value))
    if claim.basis != "printed" or place is None:
        return None
    if claim.value_error:
        if ours.error < claim.value_error:
            return Verdict("refined", f"{ours.value:.7g} with standard error {ours.error:.2g}.")
        return None
    coarse = formulas.significant_digits(str(claim.value)) < _FEWER
    if coarse and max(ours.error, _EXACT * abs(ours.value)) < 0.1 * place:
        return Verdict("refined", f"More digits: {ours.value:.10g}.")
    return None
