"""The recommendation for a network with branches as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradsim.activations import name_of
from gradsim.recommendation.candidates import OWN
from gradsim.recommendation.samples import Networks
from gradsim.report.text import render
from gradsim_core.architectures.presets import ATTENTION, DOWN, HIDDEN, QUERIES, UP, VALUES

_KINDS = {
    QUERIES: "queries, keys",
    VALUES: "values",
    ATTENTION: "attention output",
    UP: "up (into the MLP)",
    DOWN: "down (out of the MLP)",
    HIDDEN: "the matrix",
}
_MOST_NAMED, _IDLE, _LINE, _LARGE = 3, 0.02, 110, 1e4


def described(
    networks: Networks, stds: pd.DataFrame, frame: pd.DataFrame, best: str, advice: Sequence[str], code: Sequence[str]
) -> str:
    """Return the recommendation as text: the std to set, why, what each initialisation gives, code.

    Parameters
    ----------
    networks
        What was asked for.
    stds
        Standard deviations of the one to take (see `BranchRecommendation.stds`).
    frame
        All initialisations.
    best
        Name of the one to take.
    advice
        Sentences.
    code
        Snippets for PyTorch.
    """
    row = row_of(frame, best)
    parts = [
        _wrapped(_heading(networks)),
        _answer(stds, row, best, networks.depth),
        _wrapped(verdict(frame, best)),
        *(_wrapped(f"* {sentence}") for sentence in advice),
        _table_of_stds(frame, networks.depth),
        _table_of_growth(frame),
        *(f"PyTorch, with the names of your own modules:\n\n{_indented(each)}" for each in code),
    ]
    return "\n\n".join(parts)


def row_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return the row of an initialisation."""
    return frame.iloc[int(np.flatnonzero(frame["initialisation"] == name)[0])]


def _heading(networks: Networks) -> str:
    network, words = networks.network, []
    if network.normalisation == "none":
        words.append("no norm")
    else:
        words.append(f"{network.normalisation} norm, placement {network.placement}")
    if network.architecture == "transformer":
        words.append(f"{network.inputs} tokens, {network.heads} heads")
        words.append("causal" if network.causal else "all tokens seen")
    elif network.inputs > 1:
        words.append(f"{network.inputs} inputs")
    shown = ("architecture", "normalisation", "placement", "inputs", "heads", "causal")
    words += [f"{name} {value}" for name, value in networks.options.items() if name not in shown]
    shape = f"{networks.depth:,} blocks, width {networks.width:,}"
    kind = f"{name_of(networks.activation)} {network.architecture}"
    return f"{kind}, {shape}, {', '.join(words)}, {networks.law} weights"


def _answer(stds: pd.DataFrame, row: pd.Series, best: str, depth: int) -> str:
    """The std to set, of every kind of matrix."""
    ends = "block_1", f"block_{depth}"
    same = bool((stds[ends[0]] == stds[ends[1]]).all())
    lines = [f"Set these standard deviations ({best}):"]
    if not same:
        lines.append(f"  {'':24}{'block 1':<12}{f'block {depth}':<12}")
    for kind, each in stds.iterrows():
        shown = "".join(f"{each[end]:<12.6g}" for end in (ends[:1] if same else ends))
        lines.append(f"  {_KINDS[str(kind)]:24}{shown}fan_in {each['fan_in']:.0f}, sigma {_sigma(each, ends, same)}")
    lines.append(f"  {'biases':24}{row['sigma_b']:.6g}")
    if row["branch_scale"] != 1.0:
        lines.append(f"  {'branch scale':24}{row['branch_scale']:<12.6g}factor of every branch, in forward")
    return "\n".join(lines)


def _sigma(each: pd.Series, ends: tuple[str, str], same: bool) -> str:
    root = float(each["fan_in"]) ** 0.5
    return " to ".join(f"{each[end] * root:.4g}" for end in (ends[:1] if same else ends))


def verdict(frame: pd.DataFrame, best: str) -> str:
    """Return which initialisation to take, and why, as sentences."""
    row = row_of(frame, best)
    grown = (
        f"the norm of the stream changes by {_decades(row, 'stream')} decades and that of the gradient by "
        f"{_decades(row, 'gradient')}"
    )
    by = "in theory" if row["networks"] == 0 else "in simulated networks"
    if not row["level"]:
        sentences = [
            f"None of these initialisations is level. The nearest is {best}: over the blocks {grown}, {by}. "
            "Put norms before the branches, or scale these by 1/sqrt(L)."
        ]
    else:
        sentences = [f"Take {best}: over all blocks {grown}, {by}. {_why(best)}".rstrip()]
    others = frame[frame["initialisation"] != best]
    level = others.loc[others["level"], "initialisation"].tolist()
    if level:
        sentences.append(f"Level, too (within half a decade): {'; '.join(level)}.")
    if not (frame["stream"].fillna(frame["stream_theory"]).abs() < _IDLE).all():  # as where norms are on the sum
        idle = frame.loc[frame["level"] & _adds_nothing(frame), "initialisation"].tolist()
        named = f"At this size the branches of {'; '.join(idle)} add next to nothing to the stream."
        sentences += [named] if idle else []
    worst = others[~others["level"] & others["gradient"].fillna(others["gradient_theory"]).notna()]
    size = worst["gradient"].fillna(worst["gradient_theory"])
    order = size.abs().sort_values(ascending=False).index[:_MOST_NAMED]
    if len(order) and row["level"]:
        named = "; ".join(f"{worst.loc[k, 'initialisation']} ({_decades(worst.loc[k], 'gradient')})" for k in order)
        sentences.append(f"Not level, with the decades of the gradient: {named}.")
    return " ".join(sentences)


def _why(best: str) -> str:
    if best == OWN:
        return (
            "What ends a branch is smaller by the root of the number of branches, so that all branches together add "
            "about as much as the input."
        )
    if best.startswith("deepnorm"):
        return "It is made for norms on the sum, with branches scaled by (2 L)^(-1/4)."
    if ", " in best:
        return "Branches are scaled, so that all together add about as much as the input."
    return ""


def _decades(row: pd.Series, name: str) -> str:
    value = float(row[name])
    value = float(row[f"{name}_theory"]) if np.isnan(value) else value
    return _signed(value)


def _adds_nothing(frame: pd.DataFrame) -> pd.Series:
    """Where stream and gradient stay as they are, though all branches are added."""
    grown = frame["stream"].fillna(frame["stream_theory"])
    return (grown.abs() < _IDLE) & (frame["gradient"].fillna(frame["gradient_theory"]).abs() < _IDLE)


def _table_of_stds(frame: pd.DataFrame, depth: int) -> str:
    """The std of each kind of matrix, as one number, or those of blocks 1 and L."""
    kinds = [name[4:] for name in map(str, frame) if name.startswith("std_") and not name.endswith("_last")]
    shown = pd.DataFrame({"initialisation": frame["initialisation"]})
    for kind in kinds:
        ends = zip(frame[f"std_{kind}"], frame[f"std_{kind}_last"], strict=True)
        shown[kind] = [_ends(*each) for each in ends]
    if frame["sigma_b"].any():
        shown["biases"] = [f"{value:.4g}" for value in frame["sigma_b"]]
    if frame["branch_scale"].nunique() > 1:
        shown["branch scale"] = [f"{value:.4g}" for value in frame["branch_scale"]]
    differ = (
        f" (block 1 .. block {depth} where they differ)" if shown.map(lambda text: ".." in text).any(axis=None) else ""
    )
    return f"The std by kind of matrix{differ}:\n{render(shown, 'table')}"


def _table_of_growth(frame: pd.DataFrame) -> str:
    shown = pd.DataFrame({"initialisation": frame["initialisation"]})
    for name in ("stream", "gradient"):
        if frame["networks"].any():
            shown[name] = [_around(row, name) for _, row in frame.iterrows()]
        theory = [_signed(value) if value == value else "-" for value in frame[f"{name}_theory"]]
        shown["theory" if name == "stream" else "theory "] = theory
    if frame["networks"].any():
        shown["live share"] = ["-" if value != value else f"{value:.2f}" for value in frame["live_share"]]
    shown["level"] = frame["level"]
    count = int(frame["networks"].max())
    by = f"Medians of {count} networks with their 95 % intervals, and theory of infinite width." if count else (
        "By theory of infinite width."
    )  # fmt: skip
    return (
        "Growth in decades of the norm (+1: tenfold): of the stream from the input to the last block, of the gradient "
        f"from\nthe last block to the first. {by}\n{render(shown, 'table')}"
    )


def _ends(first: float, last: float) -> str:
    return f"{first:.4g}" if first == last else f"{first:.4g}..{last:.4g}"


def _around(row: pd.Series, name: str) -> str:
    if row[name] != row[name]:
        return "not finite" if row["networks"] > 0 and row["nonfinite_fraction"] > 0.0 else "-"
    low, high = (_signed(float(row[f"{name}_{end}"])) for end in ("low", "high"))
    return f"{_signed(float(row[name]))} ({low} {high})"


def _signed(value: float) -> str:
    """Decades with a sign, and no minus before zero."""
    return f"{round(value, 2) + 0.0:+.2f}" if abs(value) < _LARGE else f"{value:+.0e}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _LINE, break_long_words=False, break_on_hyphens=False)


def _indented(code: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in code.splitlines())
