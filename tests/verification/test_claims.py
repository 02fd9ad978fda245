"""All shipped claims: none fails, every planted error of 2 % is caught, and the page tells the same verdicts.

Each of the simulated claims is tested at 4 standard errors, so a change of random numbers makes one of about 20 fail by
chance with probability 0.1 %.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import gradsim as gs

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
