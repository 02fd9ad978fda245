"""Lesson: how fast each hidden layer would learn, before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gradsim.lessons import pictures
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, Words, watched
from gradsim.theory import mean_field
from gradsim.training import Recipe, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEPTHS = (2, 3, 4)
PUBLISHED = {
    2: (0.0657413, 0.309218),
    3: (0.0118382, 0.0599652, 0.283142),
    4: (0.00297527, 0.0170767, 0.0695392, 0.285139),
}
"""Lengths of single networks: Nielsen, Neural Networks and Deep Learning, chapter 5 (2015), by hidden layers."""


def speeds(networks: int = 1500, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Measure the length of dC/db of every hidden layer in random, untrained sigmoid networks.

    Networks 784-30-…-30-10 with 2, 3 and 4 hidden layers, W ~ N(0, 1/fan_in), b ~ N(0, 1), cross-entropy, the gradient
    averaged over 1,000 MNIST images.

    Returns
    -------
    DataFrame
        A row per (hidden, replica, layer): delta = |dC/db^l|, which is the length of the averaged delta^l.
    """
    with watched("speeds", seed, threads) as settings:
        return _measure(networks, settings)["speeds"]


def _measure(networks: int, settings: Settings) -> Tables:
    frames = []
    for hidden in DEPTHS:
        recipe = Recipe(hidden=(30,) * hidden, epochs=0, replicas=networks, seed=settings.seed)
        trained = train(recipe, load_images(), threads=settings.threads)
        frames.append(trained.layers[["replica", "layer", "delta"]].assign(hidden=hidden))
        settings.report(1 / len(DEPTHS))
    table = pd.concat(frames, ignore_index=True)
    return {"speeds": table[table["layer"] <= table["hidden"]].reset_index(drop=True)}


def growth(table: pd.DataFrame, hidden: int) -> pd.Series:
    """Return the growth per layer of each network: (|delta^L| / |delta^1|)^(1 / (L - 1)) over its hidden layers."""
    wide = table[table["hidden"] == hidden].pivot(index="replica", columns="layer", values="delta")
    return (wide[hidden] / wide[1]) ** (1 / (hidden - 1))


def _find(tables: Tables) -> list[Finding]:
    table, findings = tables["speeds"], []
    for hidden, published in PUBLISHED.items():
        for layer, value in enumerate(published, start=1):
            chosen = table[(table["hidden"] == hidden) & (table["layer"] == layer)]["delta"]
            low, high = chosen.quantile([0.05, 0.95])
            below, inside = (chosen < value).mean(), bool(low < value < high)
            measured = f"{low:.3g} … {high:.3g} ({below:.0%})"
            findings.append(Finding(f"{hidden}.{layer}", f"{value:.6g}", measured, inside))
    factors = growth(table, 4)
    low, middle, high = factors.quantile([0.05, 0.5, 0.95])
    theory = mean_field("sigmoid", sigma_w=1.0, sigma_b=1.0).chi_1 ** -0.5
    measured = f"{middle:.2f} ({low:.2f} … {high:.2f})"
    findings.append(Finding("growth", f"{theory:.3f}", measured, low < theory < high))
    return findings


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    drawn = {f"speeds_{hidden}": _by_layer(tables["speeds"], hidden, words) for hidden in DEPTHS}
    panel = pictures.axes()
    bins = np.geomspace(3, 9, 40)
    for hidden, colour in zip(DEPTHS, pictures.COLOURS, strict=False):
        panel.hist(growth(tables["speeds"], hidden), bins, histtype="step", color=colour, density=True, linewidth=1.6,
                   label=words("hidden", count=hidden))  # fmt: skip
    theory = mean_field("sigmoid", sigma_w=1.0, sigma_b=1.0).chi_1 ** -0.5
    panel.axvline(theory, color=pictures.INK, linestyle="--", linewidth=1, label=words("theory", value=f"{theory:.2f}"))
    panel.set(xlabel=words("growth"), ylabel=words("density"), yticks=[])
    panel.legend()
    return drawn | {"growth": pictures.of(panel)}


def _by_layer(table: pd.DataFrame, hidden: int, words: Words) -> Figure:
    chosen = table[table["hidden"] == hidden]
    panel = pictures.axes()
    values = [chosen[chosen["layer"] == layer]["delta"].to_numpy() for layer in range(1, hidden + 1)]
    parts = panel.violinplot([np.log10(one) for one in values], showextrema=False, widths=0.8)
    for body, colour in zip(parts["bodies"], pictures.COLOURS, strict=False):
        body.set(facecolor=colour, alpha=0.5)
    for layer, one in enumerate(values, start=1):
        low, high = np.log10(np.quantile(one, [0.05, 0.95]))
        panel.vlines(layer, low, high, color=pictures.INK, linewidth=2, label=words("band") if layer == 1 else None)
    panel.plot(range(1, hidden + 1), np.log10(PUBLISHED[hidden]), "D", color=pictures.INK, markerfacecolor="white",
               markersize=6, label=words("published"))  # fmt: skip
    ticks = np.arange(-4, 1)
    panel.set(xticks=range(1, hidden + 1), yticks=ticks, ylim=(-3.6, 0), xlabel=words("layer"), ylabel=words("length"))
    panel.set_yticklabels([f"$10^{{{tick}}}$" for tick in ticks])
    panel.set(ylim=(-3.6, 0))
    panel.set_title(words("hidden", count=hidden))
    panel.legend(loc="lower right")
    return pictures.of(panel)


TEXTS = {
    "title": ("How fast would each layer learn?", "每一层学得有多快？"),
    "lead": (
        "Before any training, the gradient of the first hidden layer is about five times shorter for every layer that "
        "lies between it and the output.",
        "训练开始之前，第一个隐藏层的梯度每隔一层就缩短到约五分之一。",
    ),
    "body": (
        "<p>The speed at which the neurons of layer <i>l</i> learn is the length of <i>δ<sup>l</sup></i> = ∂<i>C</i>/∂"
        "<i>b<sup>l</sup></i>, averaged over 1,000 images. Textbooks show it for one random network; here it is "
        "measured in an ensemble, and the published single networks are marked in it. Weights are drawn from "
        "N(0, 1/fan_in), biases from N(0, 1), the cost is the cross-entropy.</p><p>Mean-field theory "
        "gives the factor from one layer to the next without any simulation: 1/√χ<sub>1</sub> "
        "with χ<sub>1</sub> = σ<sub>w</sub>² E[σ′(√q* z)²] = "
        "0.04196 for sigmoid neurons at σ<sub>w</sub> = σ<sub>b</sub> = 1.</p>",
        "<p>第 <i>l</i> 层神经元的学习速度就是 <i>δ<sup>l</sup></i> = ∂<i>C</i>/∂<i>b<sup>l</sup></i> 的长度，对 1,000 "
        "张图像取平均。教科书只给出一个随机网络的数值；这里在大量随机网络上测量，并标出书中的单个网络。权重取自 "
        "N(0, 1/fan_in)，偏置取自 N(0, 1)，代价函数为交叉熵。</p><p>平均场理论无需模拟就能给出相邻两层之间的倍数："
        "1/√χ<sub>1</sub>，其中 χ<sub>1</sub> = σ<sub>w</sub>² E[σ′(√q* z)²]；对 σ<sub>w</sub> = σ<sub>b</sub> = 1 的 "
        "S 形神经元，χ<sub>1</sub> = 0.04196。</p>",
    ),
    "hidden": ("{count} hidden layers", "{count} 个隐藏层"),
    "layer": ("hidden layer", "隐藏层"),
    "length": ("length of the averaged delta", "平均 delta 的长度"),
    "band": ("5 % to 95 % of networks", "5% 到 95% 的网络"),
    "published": ("published network", "书中的网络"),
    "growth": ("growth per layer", "每层增长的倍数"),
    "density": ("networks", "网络"),
    "theory": ("mean field, {value}", "平均场，{value}"),
    "figure.growth": (
        "Growth of the gradient from one hidden layer to the next, with the prediction of mean-field theory.",
        "梯度从一个隐藏层到下一层的增长倍数，以及平均场理论的预测。",
    ),
    "finding.growth": ("growth per layer, four hidden layers", "每层增长倍数，四个隐藏层"),
}
for _hidden in DEPTHS:
    TEXTS[f"figure.speeds_{_hidden}"] = (
        f"Length of the averaged delta in random networks with {_hidden} hidden layers; bars hold 90 % of them.",
        f"{_hidden} 个隐藏层的随机网络中平均 delta 的长度；竖线包含其中 90%。",
    )
    for _layer in range(1, _hidden + 1):
        TEXTS[f"finding.{_hidden}.{_layer}"] = (
            f"{_hidden} hidden layers, layer {_layer}: published length inside the band of 5–95 %",
            f"{_hidden} 个隐藏层，第 {_layer} 层：书中的长度落在 5–95% 区间内",
        )

LESSON = Lesson("speeds", lambda settings: _measure(settings.choose(1500, 300), settings), _draw, _find, TEXTS)
