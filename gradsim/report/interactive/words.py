"""Texts of a report, in English and Chinese. The page of a report gets those of ``page.``, its script all ``ui.``."""

from __future__ import annotations

WORDS = {
    "space": (" ", ""),
    "colon": (": ", "："),
    # verdicts
    "verdict.up": (
        "At depth {depth} and width {width}, gradients vanish below σ_w = {value} and explode above it.",
        "深度 {depth}、宽度 {width}：σ_w 低于 {value} 时梯度消失，高于它时梯度爆炸。",
    ),
    "verdict.down": (
        "At depth {depth} and width {width}, gradients explode below σ_w = {value} and vanish above it.",
        "深度 {depth}、宽度 {width}：σ_w 低于 {value} 时梯度爆炸，高于它时梯度消失。",
    ),
    "verdict.none": (
        "At depth {depth} and width {width} there is no boundary. {reason}",
        "深度 {depth}、宽度 {width}：没有边界。{reason}",
    ),
    "verdict.exact.agrees": (
        "Exact at this width: {theory}; the measurement agrees (z = {z}).",
        "该宽度下的精确值为 {theory}，与实测相符（z = {z}）。",
    ),
    "verdict.exact.differs": (
        "Exact at this width: {theory}; the measurement differs (z = {z}).",
        "该宽度下的精确值为 {theory}，与实测不符（z = {z}）。",
    ),
    "verdict.infinite.agrees": (
        "Theory at infinite width: {theory}; the measurement agrees (z = {z}).",
        "无限宽理论值为 {theory}，与实测相符（z = {z}）。",
    ),
    "verdict.infinite.differs": (
        "Theory at infinite width: {theory} (z = {z}); what width {width} changes is not known here.",
        "无限宽理论值为 {theory}（z = {z}）；宽度 {width} 带来的修正此处未知。",
    ),
    "verdict.width.explains": (
        "Theory at infinite width: {theory} (z = {z}); width {width} explains the difference: to first order in "
        "1/width it is {expected}.",
        "无限宽理论值为 {theory}（z = {z}）；差异来自宽度 {width}：计入 1/宽度 的一阶修正后为 {expected}。",
    ),
    "verdict.width.fails": (
        "Theory at infinite width: {theory} (z = {z}); to first order in 1/width it is {expected}, which does not "
        "explain the whole difference.",
        "无限宽理论值为 {theory}（z = {z}）；计入 1/宽度 的一阶修正后为 {expected}，仍不能完全解释差异。",
    ),
    # page
    "page.title": ("Gradients in {name}", "{name} 中的梯度"),
    "page.lead": (
        "{cells}, {networks}. Gradients vanish where they shrink from the last layer back to the "
        "first, and explode where they grow. Intervals cover what they estimate with probability {level}.",
        "共 {cells} 个参数点、{networks} 个随机网络。从最后一层反向传播到第一层，梯度变小即为梯度消失，变大即为梯度爆炸。各区间的覆盖概率为 {level}。",
    ),
    "page.unfinished": (
        "The run is not complete: {missing} of {shards} shards are missing.",
        "运行尚未完成：{shards} 个分片中还缺 {missing} 个。",
    ),
    "page.verdict": ("Verdict", "结论"),
    "page.other_depths": ("Other depths", "其他深度"),
    "page.noscript": (
        "The diagrams and tables of this page need JavaScript. The verdicts on the first combination are above.",
        "本页的图与表需要 JavaScript。上面是第一组参数的结论。",
    ),
    "page.choose": ("Choose", "选择"),
    "page.phase": ("Phase diagram", "相图"),
    "page.cell": ("One cell", "单个参数点"),
    "page.cells_list": ("Cells of this diagram", "图中的参数点"),
    "page.theory": ("Boundaries and theory", "边界与理论"),
    "page.table": ("All cells", "全部参数点"),
    "page.provenance": ("Where the numbers come from", "数据来源"),
    "page.printed": (
        "The table of all cells is not printed; the page copies it as CSV.",
        "全部参数点的表格不打印；可在网页上复制为 CSV。",
    ),
    "page.kinds": (
        "Quenched: the mean of ln gain over live networks is 0 (typical networks). Median: half of the networks gain, "
        "half lose. Annealed: the mean of the squared gain is 1; rare networks may make it up.",
        "淬火：存活网络的 ln 增益均值为 0（典型网络）。中位数：一半网络的梯度增大，一半减小。退火：平方增益的均值为 1，可能由极少数网络决定。",
    ),
    # names
    "activation": ("activation", "激活函数"),
    "law": ("weight law", "权重分布"),
    "sigma_b": ("σ_b", "σ_b"),
    "width": ("width", "宽度"),
    "depth": ("depth", "深度"),
    "kind": ("boundary", "边界类型"),
    "shade": ("colour", "颜色"),
    "quantity": ("quantity", "层统计量"),
    "kind.quenched": ("quenched", "淬火"),
    "kind.median": ("median", "中位数"),
    "kind.annealed": ("annealed", "退火"),
    "shade.gain": ("decades of gradient gain", "梯度增益（数量级）"),
    "shade.std": ("spread over networks, decades", "网络间的标准差（数量级）"),
    "shade.live_share": ("share within a decade", "一个数量级之内的比例"),
    "shade.dead_fraction": ("dead fraction", "死亡网络比例"),
    "quantity.log_delta": ("log₁₀ |δ|", "log₁₀ |δ|"),
    "quantity.log_weight_grad": ("log₁₀ |dC/dW|", "log₁₀ |dC/dW|"),
    "quantity.log_q": ("log₁₀ q (mean square of h)", "log₁₀ q（h 的均方）"),
    "quantity.log_gain": ("log₁₀ gain of |δ|²", "log₁₀ |δ|² 的增益"),
    # columns and labels of the script
    "ui.cell": ("cell", "编号"),
    "ui.sigma_w": ("σ_w", "σ_w"),
    "ui.decades": ("decades", "数量级"),
    "ui.low": ("low", "下限"),
    "ui.high": ("high", "上限"),
    "ui.quenched": ("quenched", "淬火"),
    "ui.median": ("median", "中位数"),
    "ui.annealed": ("annealed", "退火"),
    "ui.std": ("std", "标准差"),
    "ui.q05": ("5 %", "5 %"),
    "ui.q95": ("95 %", "95 %"),
    "ui.live_share": ("within a decade", "一个数量级之内"),
    "ui.dead_fraction": ("dead", "死亡"),
    "ui.nonfinite_fraction": ("not finite", "非有限值"),
    "ui.networks": ("live networks", "存活网络数"),
    "ui.chi_1": ("χ₁", "χ₁"),
    "ui.phase": ("phase", "相"),
    "ui.complete": ("complete", "已完成"),
    "ui.trusted": ("trusted", "可信"),
    "ui.reason": ("reason", "说明"),
    "ui.theory": ("theory, infinite width", "理论（无限宽）"),
    "ui.theory_inf": ("χ₁ = 1", "χ₁ = 1"),
    "ui.theory_width": ("exact, this width", "精确（该宽度）"),
    "ui.z": ("z, infinite width", "z（无限宽）"),
    "ui.z_width": ("z, exact", "z（精确）"),
    "ui.measured": ("measured boundary", "实测边界"),
    "ui.untrusted": ("boundary, not to be trusted", "边界（不可信）"),
    "ui.layer": ("layer", "层"),
    "ui.share": ("share of live networks", "占存活网络的比例"),
    "ui.gain": ("decades of |δ¹| / |δᴸ|", "|δ¹| / |δᴸ| 的数量级"),
    "ui.filter": ("Filter rows", "筛选行"),
    "ui.copy": ("Copy as CSV", "复制为 CSV"),
    "ui.copied": ("{rows} rows copied", "已复制 {rows} 行"),
    "ui.not_copied": ("The browser refused to copy", "浏览器拒绝复制"),
    "ui.rows": ("{shown} of {rows} rows", "{rows} 行中的 {shown} 行"),
    "ui.option": ("depth {depth}, σ_w {sigma_w}: {decades}", "深度 {depth}，σ_w {sigma_w}：{decades}"),
    "ui.option_decades": ("{decades} decades", "{decades} 个数量级"),
    "ui.dead": ("no live network", "没有存活的网络"),
    "ui.yes": ("yes", "是"),
    "ui.no": ("no", "否"),
    "ui.none": ("-", "-"),
    "ui.vanishing": ("vanishing", "消失"),
    "ui.exploding": ("exploding", "爆炸"),
    "ui.critical": ("critical", "临界"),
    "ui.chosen": ("Cell {cell}: depth {depth}, σ_w {sigma_w}", "参数点 {cell}：深度 {depth}，σ_w {sigma_w}"),
    "ui.not_inside": (
        "The layers of this cell are not in the file, which has those of {inside} of {cells} cells. Write: {command}",
        "文件中只有 {cells} 个参数点中 {inside} 个的逐层数据，不含此点。可用命令查看：{command}",
    ),
    "ui.nothing": ("This cell has no live network: there is nothing to draw.", "该参数点没有存活的网络，无图可画。"),
    "ui.thinned": ("{shown} of {depth} layers are shown.", "共 {depth} 层，图中显示 {shown} 层。"),
    "ui.bands": (
        "Line: median. Bands: 25–75 % and 5–95 % of the networks. Dashes: mean of the logarithm.",
        "实线：中位数。色带：25–75 % 与 5–95 % 的网络。虚线：对数的均值。",
    ),
    "ui.bars": (
        "Green: within a decade. {dead} of all networks are dead.",
        "绿色：一个数量级之内。死亡网络占全部的 {dead}。",
    ),
    "ui.phase_caption": (
        "Red cells explode, blue ones vanish; grey: no live network; pale: fewer than 100 live networks. Point at a cell "
        "for its numbers, click it for its layers.",
        "红色：梯度爆炸；蓝色：梯度消失；灰色：没有存活的网络；浅色：存活网络少于 100 个。指向一格可看数值，点击可看各层。",
    ),
    "ui.shade_caption": (
        "Grey: no live network; pale: fewer than 100 live networks. Point at a cell for its numbers, click it for its "
        "layers.",
        "灰色：没有存活的网络；浅色：存活网络少于 100 个。指向一格可看数值，点击可看各层。",
    ),
    "ui.phase_label": ("Phase diagram over σ_w and depth", "σ_w 与深度的相图"),
    "ui.layers_label": ("{quantity} against the layer", "{quantity} 随层的变化"),
    "ui.bars_label": ("Histogram of the gain over networks", "各网络增益的直方图"),
    # provenance
    "made.directory": ("directory", "目录"),
    "made.sweep": ("sweep (hash)", "参数扫描（哈希）"),
    "made.seed": ("seed", "种子"),
    "made.method": ("method, precision", "方法、精度"),
    "made.cells": ("cells, networks", "参数点、网络"),
    "made.shards": ("shards done", "已完成的分片"),
    "made.extensions": ("extensions by refine", "细化扩展数"),
    "made.created": ("run begun", "运行开始"),
    "made.environment": ("made with", "运行环境"),
    "made.written": ("report written", "报告生成"),
    "made.intervals": ("intervals", "区间"),
    "made.intervals.how": (
        "{level}; means normal, quantiles by order statistics, shares Wilson, boundaries by redrawn curves",
        "{level}；均值按正态，分位数按次序统计量，比例按 Wilson，边界按重抽曲线",
    ),
}  # fmt: skip
