"""Texts of the lesson on small changes."""

TEXTS = {
    "title": ("A small change on its way through the network", "一个小变化如何传过网络"),
    "lead": (
        "Change one weight or one bias of the first layer a little. Every sigmoid layer makes the change smaller; little of "
        "it arrives at the cost, and that is what a vanishing gradient means.",
        "把第一层的一个权重或偏置改变一点点。每经过一个 sigmoid 层，这个变化都会变小；传到代价（即损失函数）时已所剩无几，这就是梯度消失（又称梯度弥散）的含义。",
    ),
    "body": (
        "<p>{{ figure.changes }} shows how far the activations a<sup>l</sup> of each layer move, per unit of the change, in "
        "random networks 784-30-30-30-30-10. Mean-field theory predicts that a change shrinks from layer to layer by the "
        "same factor that the gradient shrinks by on its way back, √χ<sub>1</sub> = 0.205: both are multiplied by the same "
        "matrices and slopes. A weight moves less than a bias, since its change is multiplied by an input between 0 and 1.</p>"
        "<p>Why it shrinks is easiest to see with one neuron a layer. The inputs from 0 to 1 are mapped by a → σ(w a + b), "
        "here w = 1 and b = −1/2, which makes this neuron as steep as it can be. Since σ′ is at most 1/4, the interval gets at "
        "least four times narrower in every layer. After a few layers all inputs come out the same ({{ figure.interval }}).</p>"
        "<p>The derivative ∂C/∂b is the limit of ΔC/Δb, and back-propagation gets all derivatives for the price of about "
        "two passes, where differences need a pass for each parameter. They must agree, and they do ({{ figure.agreement }}), for a Δb that is well "
        "chosen. </p><p>If Δb is large ({{ figure.errors }}, on the right), the curvature of C matters: the error is proportional to Δb (to Δb² for the central "
        "difference). If it is small, C(b + Δb) and C(b) agree in most of their sixteen digits, and few digits are left for their difference: the "
        "error grows as 1/Δb. With rounding εC/Δb, where ε = 2.2 · 10⁻¹⁶, and truncation |C″|Δb/2, the sum is least at Δb = "
        "√(2εC/|C″|), that is √ε ≈ 10⁻⁸ times the scale of the problem; with |C‴|Δb²/6 for the central difference it is least "
        "at (3εC/|C‴|)<sup>1/3</sup>, ε<sup>1/3</sup> ≈ 10⁻⁵ times the scale. These are the dashed lines. In the first layer "
        "the derivatives are small against C, so that more digits are lost, and the best Δb is far larger than √ε: about "
        "10⁻⁵ and 5 · 10⁻⁴. The table of findings gives the Δb at which the measured branches cross; it is a little smaller, since "
        "the cost is a mean over images, whose roundings partly cancel.</p>",
        "<p>{{ figure.changes }} 画出随机网络 784-30-30-30-30-10 中每一层的激活值 a<sup>l</sup> 变化了多少，以所加的变化为单位。平均场理论预测，变化每过一层所乘的倍数，与梯度往回传一层所乘的倍数相同，都是 √χ<sub>1</sub> = 0.205，因为二者所乘的矩阵和导数相同。改变权重的影响比改变偏置的小，因为权重的变化还要乘以 0 到 1 之间的输入。</p>"
        "<p>为什么会缩小？每层只有一个神经元时最容易看清。0 到 1 之间的输入经 a → σ(w a + b) 映射，这里 w = 1，b = −1/2，这已是该神经元最陡的情形。因为 σ′ 最大为 1/4，每过一层，区间的宽度至多剩下四分之一。几层之后，所有输入的输出几乎相同（{{ figure.interval }}）。</p>"
        "<p>导数 ∂C/∂b 是 ΔC/Δb 的极限。反向传播的计算量大约只相当于两遍前向计算，就得到所有导数；而差分对每个参数都要重新计算一遍。二者必须一致；只要 Δb 选得合适，也确实一致（{{ figure.agreement }}）。</p><p>Δb 太大时（{{ figure.errors }} 右侧），C 的弯曲不可忽略：误差与 Δb 成正比（中心差分与 Δb² 成正比）。Δb 太小时，C(b + Δb) 与 C(b) 的十六位有效数字大部分相同，差值只剩少数几位有效数字：误差与 1/Δb 成正比。舍入误差为 εC/Δb，ε = 2.2 · 10⁻¹⁶，截断误差为 |C″|Δb/2，二者之和在 Δb = √(2εC/|C″|) 处最小，即问题尺度的 √ε ≈ 10⁻⁸ 倍；中心差分的截断误差为 |C‴|Δb²/6，最佳的 Δb 为 (3εC/|C‴|)<sup>1/3</sup>，即问题尺度的 ε<sup>1/3</sup> ≈ 10⁻⁵ 倍。图中的虚线就在这两处。第一层的导数相对于 C 很小，丢失的有效数字更多，因此最佳的 Δb 远大于 √ε：大约是 10⁻⁵ 与 5 · 10⁻⁴。“预测与实测”表给出了实测误差的两支相交处的 Δb；它略小一些，因为代价是许多图像的平均，各图像的舍入误差会部分抵消。</p>",
    ),
    "bias": ("a bias changed", "改变一个偏置"),
    "weight": ("a weight changed", "改变一个权重"),
    "theory": ("mean field, × {value}", "平均场，× {value}"),
    "layer": ("layer", "层"),
    "change": ("change of activations over that made", "激活值的变化 / 所加的变化"),
    "activation": ("activation", "激活值"),
    "derivative": ("|derivative| by back-propagation", "反向传播得到的 |导数|"),
    "difference": ("|finite difference|, change 0.0001", "|有限差分|，变化 0.0001"),
    "forward": ("forward difference", "前向差分"),
    "central": ("central difference", "中心差分"),
    "size": ("size of the change Δb", "变化 Δb 的大小"),
    "error": ("relative error", "相对误差"),
    "figure.changes": (
        "Length of the change of the activations after every layer: median and 5–95 % of random networks. The last layer, "
        "the output, has ten neurons in place of 30.",
        "每一层激活值的变化的长度：随机网络的中位数与 5–95% 区间。最后一层是输出层，只有 10 个神经元，而不是 30 个。",
    ),
    "figure.interval": (
        "The interval of inputs from 0 to 1 on its way through a chain of sigmoid neurons, with its width.",
        "从 0 到 1 的输入区间依次传过一串 sigmoid 神经元；数字为区间的宽度。",
    ),
    "figure.agreement": (
        "Central difference of the cost against the back-propagated derivative, biases and weights of the first layer.",
        "代价对第一层偏置与权重的中心差分，与反向传播得到的导数相比较。",
    ),
    "figure.errors": (
        "Relative error of the finite difference against the size of the change: rounding on the left, truncation on the "
        "right. Dashed: the predicted best changes.",
        "有限差分的相对误差与变化大小的关系：左边是舍入误差，右边是截断误差。虚线：预测的最佳 Δb。",
    ),
    "alt.changes": (
        "Two falling lines with bands on a logarithmic axis, over five layers: a changed bias above, a changed weight below. The upper one lies on the dashed line of the theory up to layer 4.",
        "对数坐标上两条带区间的下降线，共五层：上面是改变偏置，下面是改变权重。直到第 4 层，上面一条都与理论的虚线重合。",
    ),
    "alt.interval": (
        "A bar from 0 to 1 on the left, from which a fan of lines narrows to shorter and shorter bars: widths 1, 0.24, 0.061, 0.015 and 0.0038.",
        "左边一条从 0 到 1 的竖条，由它出发的一束线收窄到越来越短的竖条：宽度为 1、0.24、0.061、0.015 和 0.0038。",
    ),
    "alt.agreement": (
        "Dots lie on the diagonal over two orders of magnitude or more, for biases as for weights.",
        "点都落在对角线上，跨越两个数量级以上，偏置与权重都是如此。",
    ),
    "alt.errors": (
        "Two V-shaped curves on logarithmic axes. They fall together on the left; the forward difference turns upwards near 10⁻⁵ and the central one near 5 · 10⁻⁴, at a much lower error and then more steeply. Dashed lines stand close to the turning points.",
        "对数坐标上两条 V 形曲线。左边一起下降；前向差分约在 10⁻⁵ 处转而上升，中心差分约在 5 · 10⁻⁴ 处转而上升，后者的误差低得多，上升也更陡。虚线靠近转折处。",
    ),
    "finding.factor": (
        "factor by which a change shrinks per layer (mean field)",
        "变化每过一层所乘的倍数（平均场理论）",
    ),
    "finding.interval": (
        "largest ratio of an interval’s width to its width one layer before",
        "区间宽度与前一层之比的最大值",
    ),
    "finding.agree": (
        "least relative error of differences, forward and central (medians)",
        "差分的最小相对误差，前向与中心（中位数）",
    ),
    "finding.best_forward": (
        "best Δb of the forward difference, √(2εC/|C″|) (medians)",
        "前向差分的最佳 Δb，√(2εC/|C″|)（中位数）",
    ),
    "finding.best_central": (
        "best Δb of the central difference, (3εC/|C‴|)<sup>1/3</sup> (medians)",
        "中心差分的最佳 Δb，(3εC/|C‴|)<sup>1/3</sup>（中位数）",
    ),
    "finding.rounding": ("slope of the error, rounding branch", "误差曲线的斜率，舍入误差一侧"),
    "finding.truncation": ("slope of the error, truncation branch", "误差曲线的斜率，截断误差一侧"),
    "finding.central": ("slope of the error, truncation, central difference", "误差曲线的斜率，截断误差一侧，中心差分"),
}
