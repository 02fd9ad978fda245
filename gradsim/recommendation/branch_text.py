"""The recommendation for a network with branches as text for people."""

from __future__ import annotations

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
_MOST_NAMED = 3


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
    row = frame.set_index("initialisation").loc[best]
    parts = [
        _heading(networks),
        _answer(stds, row, best, networks.depth),
        verdict(frame, best),
        *(f"* {sentence}" for sentence in advice),
        _table(frame, networks.depth),
        *(f"PyTorch, with the names of your own modules:\n\n{_indented(each)}" for each in code),
    ]
    return "\n\n".join(parts)


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
    row = frame.set_index("initialisation").loc[best]
    grown = f"the stream grows by {_decades(row, 'stream')} decades and the gradient by {_decades(row, 'gradient')}"
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
    if "branch_scale deepnorm" in best:
        return "It is made for norms on the sum, with branches scaled by (2 L)^(-1/4)."
    if "branch_scale" in best:
        return "Branches are scaled, so that all together add about as much as the input."
    return ""


def _decades(row: pd.Series, name: str) -> str:
    value = float(row[name])
    value = float(row[f"{name}_theory"]) if np.isnan(value) else value
    return f"{round(value, 2) + 0.0:+.2f}"


def _table(frame: pd.DataFrame, depth: int) -> str:
    """What each initialisation gives; its stds as one number, or those of blocks 1 and L."""
    kinds = [name[4:] for name in frame if name.startswith("std_") and not name.endswith("_last")]
    shown = pd.DataFrame({"initialisation": frame["initialisation"]})
    if frame["branch_scale"].nunique() > 1:
        shown["branch scale"] = [f"{value:.4g}" for value in frame["branch_scale"]]
    for kind in kinds:
        ends = zip(frame[f"std_{kind}"], frame[f"std_{kind}_last"], strict=True)
        shown[kind] = [_ends(*each) for each in ends]
    for name in ("stream", "gradient"):
        shown[name] = [_around(row, name) for _, row in frame.iterrows()]
        shown[f"{name}, theory"] = [f"{value:+.2f}" if value == value else "-" for value in frame[f"{name}_theory"]]
    shown["live share"] = ["-" if value != value else f"{value:.2f}" for value in frame["live_share"]]
    shown["level"] = frame["level"]
    count = int(frame["networks"].max())
    by = f"{count} simulated networks with the 95 % interval of their median, and theory" if count else "theory"
    return (
        f"std by kind of matrix (block 1 .. block {depth} where they differ), and the growth of stream and gradient "
        f"over the network in decades, by {by}:\n{render(shown, 'table')}"
    )


def _ends(first: float, last: float) -> str:
    return f"{first:.4g}" if first == last else f"{first:.4g}..{last:.4g}"


def _around(row: pd.Series, name: str) -> str:
    if row[name] != row[name]:
        return "-"
    return f"{row[name]:+.2f} ({row[f'{name}_low']:+.2f} {row[f'{name}_high']:+.2f})"


def _indented(code: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in code.splitlines())
