"""All shipped claims: none fails, every planted error of 2 % is caught, and the page tells the same verdicts.

Each of the simulated claims is tested at 4 standard errors, so a change of random numbers makes one of about 20 fail by
chance with probability 0.1 %.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.validation import load, referee
from gradsim.validation.estimators import ESTIMATORS, Estimate, Estimator

PAGE = Path(__file__).parents[2] / "docs/claims.md"


def verdicts_of_the_page() -> list[str]:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return [row.split(" | ")[8].split("**")[1] for row in rows]


@pytest.mark.verify
def test_all_claims() -> None:
    start = time.monotonic()
    found = gs.validate(progress="none")
    print(found["verdict"].value_counts().to_string(), f"{time.monotonic() - start:.0f} s", sep="\n")
    failed = found[found["verdict"] == "failed"]
    assert failed.empty, failed[["id", "reason"]].to_string()
    computed = found[found["verdict"] != "beyond scope"]
    assert (computed["control_margins"] > 1.0).all()
    assert found["verdict"].tolist() == verdicts_of_the_page()


@pytest.mark.verify
def test_an_error_of_2_percent_in_any_estimator_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every quick claim fails once its estimator gives 2 % more, whatever the claim's own control is."""
    sound = dict(ESTIMATORS)
    claims = [(source, claim) for source in load() for claim in source.claims]
    for source, claim in claims:
        if claim.beyond or claim.cost == "full":
            continue
        estimator = sound[str(claim.estimator)]
        ours = estimator(claim.given)

        def wrong(*, found: Estimate = ours, **given: object) -> Estimate:
            return Estimate(1.02 * found.value, found.error)

        wrong.__signature__ = estimator.signature  # type: ignore[attr-defined]
        monkeypatch.setitem(ESTIMATORS, estimator.name, Estimator(estimator.name, estimator.family, wrong))
        verdict = referee.decide(source, claim).verdict
        monkeypatch.setitem(ESTIMATORS, estimator.name, estimator)
        assert verdict.name == "failed", (source.name, claim.id)
