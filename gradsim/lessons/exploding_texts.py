"""Texts of the lesson on exploding gradients."""

TEXTS = {
    "title": ("When gradients explode", "梯度爆炸"),
    "lead": (
        "Large weights alone do not make a gradient explode: the factor of a layer is w σ′(w a + b), and a large w usually "
        "drives the neuron into saturation, where σ′ is small.",
        "仅有大的权重并不会使梯度爆炸：每层的因子是 w σ′(w a + b)，而大的 w 往往把神经元推入饱和区，那里 σ′ 很小。",
    ),
    "body": (
        "<p>It can be arranged. With one neuron a layer, w = 100 and b = −100 a, every weighted input is z = w a + b = 0, "
        "where σ′ = 1/4, and each layer multiplies the gradient by 100 · 1/4 = 25: see the table below.</p>"
        "<p>By chance it is rare. σ′(z) = s(1 − s) with s = σ(z) is at most 1/4, so that |w σ′(z)| ≥ 1 needs |w| ≥ 4. Then "
        "s(1 − s) ≥ 1/|w| holds between the two roots of s² − s + 1/|w| = 0. The larger one, s = (1 + √(1 − 4/|w|))/2, "
        "belongs to z<sub>0</sub> = ln(s/(1 − s)) = ln(|w| s − 1), since 1/(1 − s) = |w| s. So z may be anywhere from "
        "−z<sub>0</sub> to z<sub>0</sub>, and as z = w a + b, the activation a may be anywhere in an interval of width "
        "(2/|w|) ln(|w|(1 + √(1 − 4/|w|))/2 − 1), whatever b is. It is nowhere wider than 0.45, although a can be anything "
        "from 0 to 1: larger weights make the interval narrower again. That is why sigmoid networks nearly always "
        "vanish.</p>"
        "<p>With activations that do not saturate, gradients do explode, and often in the course of training. A deep relu "
        "network that starts well (He) is trained with a step that is too large. Within a few epochs the weights grow, the "
        "product of the layers with them, and the next step is larger still; after a few more, numbers "
        "overflow or all relu neurons are dead, and nothing is learnt any more. Clipping cuts the gradient to length 1 "
        "before each step. Its direction stays, the "
        "explosion is gone, and the same network with the same η learns.</p>",
        "<p>可以刻意安排爆炸。每层一个神经元，w = 100，b = −100 a，于是每个带权输入都是 z = w a + b = 0，那里 σ′ = 1/4，"
        "每一层都把梯度乘以 100 · 1/4 = 25：见下表。</p>"
        "<p>偶然发生则很罕见。σ′(z) = s(1 − s)，其中 s = σ(z)，最大为 1/4，所以 |w σ′(z)| ≥ 1 要求 |w| ≥ 4。此时 "
        "s(1 − s) ≥ 1/|w| 在 s² − s + 1/|w| = 0 的两个根之间成立。较大的根 s = (1 + √(1 − 4/|w|))/2 对应 "
        "z<sub>0</sub> = ln(s/(1 − s)) = ln(|w| s − 1)，因为 1/(1 − s) = |w| s。所以 z 可以取 −z<sub>0</sub> 到 "
        "z<sub>0</sub> 之间的任何值；由于 z = w a + b，无论 b 是多少，激活值 a 都可以落在宽度为 "
        "(2/|w|) ln(|w|(1 + √(1 − 4/|w|))/2 − 1) 的区间里。虽然 a 可以取 0 到 1 之间的任何值，这个区间却从不宽于 0.45："
        "权重再大，区间反而变窄。这就是 S 形网络的梯度几乎总是消失的原因。</p>"
        "<p>对不会饱和的激活函数，梯度确实会爆炸，而且常常发生在训练过程中。一个起点良好（He 初始化）的深度 relu 网络用过大"
        "的步长训练：几轮之内权重变大，各层的乘积随之变大，下一步就更大；再过几轮，数值溢出，或者 relu 神经元全部死掉，什么也学不到了。"
        "梯度裁剪在每一步之前把梯度的长度限制为 1：方向不变，爆炸消失，同样的网络用同样的 η 就能学习。</p>",
    ),
    "activation": ("activation a, with b = −w/2", "激活值 a，取 b = −w/2"),
    "product": ("|w σ′(w a + b)|", "|w σ′(w a + b)|"),
    "width": ("width of the interval of a", "a 的区间宽度"),
    "formula": ("formula", "公式"),
    "counted": ("counted on a grid", "网格上数出"),
    "free": ("without clipping", "不裁剪"),
    "clipped": ("clipped to length 1", "裁剪到长度 1"),
    "first": ("|dC/db| of the first layer", "第一层的 |dC/db|"),
    "error": ("wrong answers, %", "错误率，%"),
    "epoch": ("epoch", "训练轮数"),
    "layer": ("layer", "层"),
    "factor": ("over the next layer’s", "与下一层之比"),
    "figure.factor": (
        "The factor of a layer against the activation that enters it; above the dashed line the gradient grows.",
        "一层的因子与输入的激活值的关系；虚线以上梯度增长。",
    ),
    "figure.width": (
        "Width of the interval of activations for which the factor is at least 1, against |w|.",
        "使因子不小于 1 的激活值区间的宽度与 |w| 的关系。",
    ),
    "figure.first": (
        "Length of the first layer’s gradient in the first epochs of training of a relu network with eight hidden layers: median and "
        "5–95 % of the random starts; zero is drawn at 10⁻⁸.",
        "八个隐藏层的 relu 网络训练最初几轮中第一层梯度的长度：随机起点的中位数与 5–95% 区间；零画在 10⁻⁸ 处。",
    ),
    "figure.error": (
        "Wrong answers of the same networks; a network whose numbers have overflowed has no right answer.",
        "同样这些网络的错误率；数值溢出的网络没有一个答案是对的。",
    ),
    "table.chain": (
        "One neuron a layer, w = 100 and b = −100 a: gradient of every layer by back-propagation.",
        "每层一个神经元，w = 100，b = −100 a：由反向传播得到的各层梯度。",
    ),
    "finding.factor": ("factor of a layer with w = 100, b = −100 a", "w = 100，b = −100 a 时每层的因子"),
    "finding.at": ("|w| of the widest interval", "区间最宽时的 |w|"),
    "finding.widest": ("its width", "其宽度"),
    "finding.counted": ("formula against counting, largest difference", "公式与计数之间的最大差别"),
    "finding.below": ("width counted for |w| < 4", "|w| < 4 时数出的宽度"),
    "finding.grows": (
        "largest gradient of the first layer in training, over that at the start",
        "训练中第一层梯度的最大值与起点之比",
    ),
    "finding.clipped": ("error at the end, clipped / not clipped", "结束时的错误率，裁剪 / 不裁剪"),
}
