"""The sentences that the analysis writes beside its numbers, in the language of a report."""

from __future__ import annotations

import re

import pandas as pd

CHINESE = {
    r"A network of depth 1 has no boundary: its gain is 1 by definition\.": (
        "深度为 1 的网络没有边界：按定义其增益为 1。"
    ),
    r"Too few cells: (\S+) with an estimate and an error, at least (\S+) are needed\.": (
        "参数点太少：只有 {0} 个有估计值和误差，至少需要 {1} 个。"
    ),
    r"No crossing: the log gain stays below 0 at every sigma_w of the sweep\.": (
        "没有过零点：在所扫描的每个 σ_w 处，对数增益都低于 0。"
    ),
    r"No crossing: the log gain stays above 0 at every sigma_w of the sweep\.": (
        "没有过零点：在所扫描的每个 σ_w 处，对数增益都高于 0。"
    ),
    r"The crossing is lost in the noise: (\S+) of the redrawn curves do not cross 0\.": (
        "过零点淹没在噪声中：重新抽样的曲线有 {0} 不过零。"
    ),
    r"Not to be trusted: (\S+) of the networks near it are not finite\.": (
        "不可信：边界附近的网络有比例为 {0} 的部分不是有限数。"
    ),
    r"Not to be trusted: the gain is so widely spread that its mean near it needs (.+) networks\.": (
        "不可信：增益分布太广，边界附近的均值需要 {0} 个网络。"
    ),
    r"Not to be trusted: the top 0\.01 % of the networks \(at least one\) make up (\S+) of the mean near it\.": (
        "不可信：最大的 0.01% 的网络（至少一个）占边界附近均值的 {0}。"
    ),
    r"Not typical: (\S+) of the networks near it have a gradient norm within a decade\.": (
        "不具代表性：边界附近只有 {0} 的网络，其梯度范数相差不到一个数量级。"
    ),
    r"Not typical: (\S+) of the networks near it have a gradient norm within a decade\. Their gain has two humps\.": (
        "不具代表性：边界附近只有 {0} 的网络，其梯度范数相差不到一个数量级。它们的增益有两个峰。"
    ),
    r"All networks are not finite: phi or dphi of (.+) gave no finite number, or q grew beyond any float64\.": (
        "所有网络都不是有限数：{0} 的 phi 或 dphi 没有给出有限数，或者 q 超出了 float64 的范围。"
    ),
    r"(\S+) of the networks are not finite: phi or dphi of (.+) gave no finite number, or q grew beyond .+\.": (
        "有比例为 {0} 的网络不是有限数：{1} 的 phi 或 dphi 没有给出有限数，或者 q 超出了 float64 的范围。"
    ),
    r"The functions of (.+) are not stored; the run that gs\.run returns has them\.": (
        "数据中没有保存 {0} 的函数；gs.run 返回的对象中有。"
    ),
}
"""Chinese sentences by patterns of the English ones; {0} is what the first bracket of a pattern finds."""


def translate(sentence: str, lang: str) -> str:
    """Return a sentence in a language; one that has no translation stays English."""
    for pattern, chinese in CHINESE.items() if lang == "zh" else ():
        if found := re.fullmatch(pattern, sentence):
            return chinese.format(*found.groups())
    return sentence


def with_reasons_in(frame: pd.DataFrame, lang: str) -> pd.DataFrame:
    """Return a table with its column ``reason`` in a language."""
    texts = [translate(text, lang) if isinstance(text, str) else None for text in frame["reason"]]
    return frame.assign(reason=pd.Series(texts, frame.index, dtype=object))
