"""Texts of the lesson on the speed of every layer."""

TEXTS = {
    "title": ("How fast would each layer learn?", "每一层学得有多快？"),
    "lead": (
        "Before any training, the gradient gets about five times shorter with every layer that it is propagated "
        "back through.",
        "训练开始之前，梯度每往回传一层，长度就缩短到约五分之一。",
    ),
    "body": (
        "<p>The speed at which the neurons of layer <i>l</i> learn is the length of <i>δ<sup>l</sup></i> = ∂<i>C</i>/∂"
        "<i>b<sup>l</sup></i>, averaged over 1,000 images. Textbooks show it for one random network; here it is "
        "measured in an ensemble, and the published single networks are marked in it ({{ figure.speeds_2 }}, {{ figure.speeds_3 }} and {{ figure.speeds_4 }}). Weights are drawn from "
        "N(0, 1/fan_in), biases from N(0, 1), the cost is the cross-entropy.</p><p>Mean-field theory "
        "gives the factor from one layer to the next without any simulation: 1/√χ<sub>1</sub> "
        "with χ<sub>1</sub> = σ<sub>w</sub>² E[σ′(√q* z)²] = "
        "0.04196 for sigmoid neurons at σ<sub>w</sub> = σ<sub>b</sub> = 1. In "
        "{{ figure.growth }} it stands among the factors of all networks.</p>",
        "<p>第 <i>l</i> 层神经元的学习速度就是 <i>δ<sup>l</sup></i> = ∂<i>C</i>/∂<i>b<sup>l</sup></i> 的长度（即范数），对 1,000 张图像取平均。教科书只给出单个随机网络的数值；这里测量大量随机网络，并把书中的那个网络标在其中（{{ figure.speeds_2 }}、{{ figure.speeds_3 }} 和{{ figure.speeds_4 }}）。权重取自 N(0, 1/fan_in)，偏置取自 N(0, 1)，代价函数（即损失函数）为交叉熵。</p><p>平均场理论无需模拟就能给出相邻两层的梯度之比：1/√χ<sub>1</sub>，其中 χ<sub>1</sub> = σ<sub>w</sub>² E[σ′(√q* z)²]；对 σ<sub>w</sub> = σ<sub>b</sub> = 1 的 sigmoid 神经元，χ<sub>1</sub> = 0.04196。{{ figure.growth }} 把它与所有网络的倍数画在一起。</p>",
    ),
    "hidden": ("{count} hidden layers", "{count} 个隐藏层"),
    "layer": ("hidden layer", "隐藏层"),
    "length": ("length of the averaged delta", "平均 δ 的长度"),
    "band": ("5 % to 95 % of networks", "第 5 到第 95 百分位"),
    "published": ("published network", "书中的网络"),
    "growth": ("growth per layer", "每层的增长倍数"),
    "density": ("networks", "网络数"),
    "theory": ("mean field, {value}", "平均场，{value}"),
    "figure.growth": (
        "Growth of the gradient from one hidden layer to the next, with the prediction of mean-field theory.",
        "梯度从前一个隐藏层到后一个隐藏层的增长倍数，以及平均场理论的预测。",
    ),
    "alt.growth": (
        "Three overlapping histograms, for 2, 3 and 4 hidden layers, between about 3.5 and 7; the more layers, the narrower. The dashed line of the theory, at 4.88, goes through their peaks.",
        "2、3、4 个隐藏层的三个直方图相互重叠，大约在 3.5 到 7 之间；层数越多，分布越窄。理论值 4.88 的虚线穿过峰值。",
    ),
    "finding.growth": ("growth per layer, four hidden layers", "每层的增长倍数，四个隐藏层"),
}
for _hidden in (2, 3, 4):
    TEXTS[f"figure.speeds_{_hidden}"] = (
        f"Length of the averaged delta in random networks with {_hidden} hidden layers; bars hold 90 % of them.",
        f"{_hidden} 个隐藏层的随机网络中平均 δ 的长度；竖线包含其中 90% 的网络。",
    )
    TEXTS[f"alt.speeds_{_hidden}"] = (
        f"{_hidden} violins on a logarithmic axis, rising from layer to layer by a factor of about five; the diamond of the published network lies on the vertical line of each.",
        f"对数坐标上的 {_hidden} 个小提琴图，每往后一层升高到约五倍；代表书中网络的菱形都落在各自的竖线上。",
    )
    for _layer in range(1, _hidden + 1):
        TEXTS[f"finding.{_hidden}.{_layer}"] = (
            f"{_hidden} hidden layers, layer {_layer}: length of the published network (its place among all), inside the band of 5–95 %",
            f"{_hidden} 个隐藏层，第 {_layer} 层：书中网络的长度（及其在全部网络中的位置），落在 5–95% 区间内",
        )
