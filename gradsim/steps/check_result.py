"""What `coordinate_check` returns, and its verdicts in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from gradsim.activations import name_of
from gradsim.notebook import facts_html
from gradsim.steps.problem import Problem
from gradsim.system.streams import counted

MEASURES = {
    ("forward", "size"): "h",
    ("forward", "change"): "h_change",
    ("backward", "size"): "delta",
    ("backward", "change"): "delta_change",
}
"""Directions and measures, and the quantity of each."""

MARGIN = 0.25
"""Exponents up to here count as 0: those of infinitely wide networks are multiples of 1/2, and this lies half way."""

_WORDS = {
    ("forward", "size", "flat"): "preactivations keep their size",
    ("forward", "size", "grows"): "preactivations grow with the width",
    ("forward", "size", "falls"): "preactivations shrink with the width",
    ("forward", "change", "flat"): "features move alike at every width",
    ("forward", "change", "grows"): "features move more in wider networks: no learning rate fits all widths",
    ("forward", "change", "falls"): "features move less in wider networks, in the limit not at all",
    ("backward", "size", "flat"): "errors keep their norm",
    ("backward", "size", "grows"): "errors grow with the width",
    ("backward", "size", "falls"): "errors shrink with the width",
    ("backward", "change", "flat"): "errors change alike at every width",
    ("backward", "change", "grows"): "errors change more in wider networks",
    ("backward", "change", "falls"): "errors change less in wider networks",
}
_OF_READOUT = {
    ("forward", "size", "flat"): "outputs keep their size",
    ("forward", "size", "grows"): "outputs grow with the width",
    ("forward", "size", "falls"): "outputs shrink with the width",
    ("forward", "change", "flat"): "outputs learn alike at every width",
    ("forward", "change", "grows"): "outputs move more in wider networks: no learning rate fits all widths",
    ("forward", "change", "falls"): "outputs learn less in wider networks",
}
_UNCLEAR = "the interval is too wide to tell: take more networks or larger widths"
_NONE = "no exponent: fewer than two widths have sizes above 0"
_DIVERGED = "no exponent: too many networks of some width have diverged"
_HEADINGS = {
    ("forward", "change"): "Change of h since step 0",
    ("forward", "size"): "Size of h",
    ("backward", "change"): "Change of delta = dC/dh since step 0",
    ("backward", "size"): "Size of delta = dC/dh",
}


def verdict(low: float, high: float, diverged: bool = False) -> str:
    """Return "flat", "grows" or "falls" if the whole interval says so, "unclear" if not.

    Without an interval it is "diverged" if networks have, else "none".
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "diverged" if diverged else "none"
    if low > -MARGIN and high < MARGIN:
        return "flat"
    return "grows" if low >= MARGIN else "falls" if high <= -MARGIN else "unclear"


def expected(problem: Problem, step: int, layer: int, direction: str, measure: str) -> float:
    """Return the exponent of infinitely wide networks; NaN where none holds for all activations and steps.

    Of hidden layers they are in the table of parametrisations. Outputs and errors at them are of order 1, but for mup's
    outputs at step 0, which fall as the readout does. Under standard the first step already depends on clipping. Weight
    decay shrinks all matrices alike, which moves h of hidden layers at every width.
    """
    table = problem.of_parametrisation.expected
    if not table:
        return 0.0 if step == 0 else math.nan
    if layer <= problem.depth and problem.weight_decay > 0.0 and (direction, measure) == ("forward", "change"):
        return 0.0
    if layer <= problem.depth:
        return table[direction, measure]
    begins = step == 0 and problem.parametrisation == "mup" and direction == "forward"
    return -0.5 if begins else 0.0


def sentence(row: pd.Series, depth: int) -> str:
    """Return a verdict in words."""
    key = row["direction"], row["measure"], row["verdict"]
    readout = row["layer"] > depth
    said = (_OF_READOUT.get(key) if readout else None) or _WORDS.get(key)
    return said or {"unclear": _UNCLEAR, "diverged": _DIVERGED}.get(row["verdict"], _NONE)


@dataclass(frozen=True, repr=False)
class CoordinateCheck:
    """Exponents of sizes and changes against width, with verdicts.

    Attributes
    ----------
    problem
        What was trained, and how, at the smallest width.
    widths, networks, level
        Widths; networks of each; coverage probability of the intervals.
    exponents
        A row per step, layer (the one after the last is the readout), direction ("forward": h; "backward": delta =
        dC/dh) and measure ("size", or "change" since step 0): exponent = d ln median / d ln width with ci_low and
        ci_high; expected, of infinitely wide networks; verdict: "flat", "grows", "falls", "unclear",
        "diverged", or "none".
    sizes
        The statistics that were fitted: those of `TrainingSteps.table`, for each width.
    """

    problem: Problem
    widths: tuple[int, ...]
    networks: int
    level: float
    exponents: pd.DataFrame
    sizes: pd.DataFrame

    @property
    def verdicts(self) -> pd.DataFrame:
        """A row per layer, direction and measure after the last step, changes first, with the verdict in words."""
        last = self.exponents[self.exponents["step"] == self.problem.steps].copy()
        order = {"forward change": 0, "forward size": 1, "backward change": 2, "backward size": 3}
        last["order"] = [order[f"{a} {b}"] for a, b in zip(last["direction"], last["measure"], strict=True)]
        last["words"] = [sentence(row, self.problem.depth) for _, row in last.iterrows()]
        return last.sort_values(["order", "layer"]).drop(columns=["order", "step"]).reset_index(drop=True)

    @property
    def diverged(self) -> dict[int, int]:
        """Of each width, how many networks have diverged by the last step."""
        last = self.sizes[self.sizes["step"] == self.problem.steps]
        most = last.groupby("width")["nonfinite"].max()
        return {width: int(most[width]) for width in self.widths}

    @property
    def summary(self) -> str:
        """One sentence on the hidden layers."""
        changes = self.verdicts.query("direction == 'forward' and measure == 'change' and layer <= @self.problem.depth")
        kinds = set(changes["verdict"])
        name = self.problem.parametrisation
        if not len(changes):
            return "Nothing was trained: steps = 0."
        if "diverged" in kinds:
            return f"Networks diverge under {name} at this learning rate: take a smaller one, or fewer steps."
        if kinds == {"flat"}:
            return f"Hidden features move alike at every width under {name}: its learning rate carries over."
        if kinds == {"falls"}:
            return (
                f"Hidden features do not move under {name} as the width grows: its wide networks learn by the readout."
            )
        if "grows" in kinds:
            return f"Hidden features move more in wider networks under {name}: no learning rate fits all widths."
        return "The layers differ, or the intervals are too wide: see the verdicts."

    def text(self) -> str:
        """Return the summary and the exponents of each layer, as lines for a terminal."""
        of = self.problem
        head = f"{name_of(of.activation)}, {of.parametrisation}, widths {', '.join(map(str, self.widths))}"
        lines = [f"{head}; {counted(self.networks, 'network')} each, after {counted(of.steps, 'step')}", self.summary]
        if any(self.diverged.values()):
            counts = (f"{count} of width {width}" for width, count in self.diverged.items() if count)
            lines.append(f"Diverged, of {self.networks}: {', '.join(counts)}.")
        shown = self.verdicts
        for (direction, measure), heading in _HEADINGS.items():
            rows = shown[(shown["direction"] == direction) & (shown["measure"] == measure)]
            said = set(rows.loc[rows["layer"] <= of.depth, "words"])
            if len(rows):
                lines += ["", heading + (f": {min(said)}" if len(said) == 1 else "")]
            lines += [_line(row, of.depth, said) for _, row in rows.iterrows()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"CoordinateCheck(widths={self.widths}, networks={self.networks}): {self.summary}"

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {"widths": ", ".join(map(str, self.widths)), "networks": self.networks}
        return facts_html("CoordinateCheck", facts | {"verdict": self.summary})


def _line(row: pd.Series, depth: int, said: set[str]) -> str:
    """A layer's exponent with its interval and verdict; where it has none, the reason, unless the heading gives it."""
    name = "readout" if row["layer"] > depth else f"layer {row['layer']}"
    if not math.isfinite(row["exponent"] + row["ci_low"]):
        return f"  {name:9} {row['verdict'] if said == {row['words']} else row['words']}"
    known = f"   theory N^{row['expected']:+.1f}" if math.isfinite(row["expected"]) else ""
    interval = f"[{row['ci_low']:+.2f}, {row['ci_high']:+.2f}]"
    return f"  {name:9} N^{row['exponent']:+.2f} {interval}   {row['verdict']:7}{known}".rstrip()
