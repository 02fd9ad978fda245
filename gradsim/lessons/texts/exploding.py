"""Texts of the lesson on exploding gradients."""

TEXTS = {
    "title": ("When gradients explode", "梯度爆炸"),
    "lead": (
        "Large weights alone do not make a gradient explode: the factor of a layer is w σ′(w a + b), and a large w usually "
        "drives the neuron into saturation, where σ′ is small.",
        "仅有大的权重并不会使梯度爆炸：每层贡献的因子是 w σ′(w a + b)，而大的 w 往往把神经元推入饱和区，那里 σ′ 很小。",
    ),
    "body": (
        "<p>An explosion can be arranged. With one neuron a layer, w = 100 and b = −100 a, every weighted input is z = w a + b = 0, "
        "where σ′ = 1/4, and each layer multiplies the gradient by 100 · 1/4 = 25: see {{ table.chain }}.</p>"
        "<p>By chance it happens rarely. σ′(z) = s(1 − s) with s = σ(z) is at most 1/4, so that |w σ′(z)| ≥ 1 needs |w| ≥ 4 ({{ figure.factor }}). Then "
        "s(1 − s) ≥ 1/|w| holds between the two roots of s² − s + 1/|w| = 0. The larger one, s = (1 + √(1 − 4/|w|))/2, "
        "belongs to z<sub>0</sub> = ln(s/(1 − s)) = ln(|w| s − 1), since 1/(1 − s) = |w| s. So z may be anywhere from "
        "−z<sub>0</sub> to z<sub>0</sub>, and as z = w a + b, the activation a may be anywhere in an interval of width "
        "(2/|w|) ln(|w|(1 + √(1 − 4/|w|))/2 − 1), whatever b is. It is nowhere wider than 0.45 ({{ figure.width }}), although a can be anything "
        "from 0 to 1: larger weights make the interval narrower again. That is why the gradients of sigmoid "
        "networks nearly always vanish.</p>"
        "<p>Training can get there, however. In {{ figure.growing }} chains of three sigmoid neurons learn to tell inputs above 1/2 from "
        "those below. The cost has no minimum: the steeper the step, the lower the cost, so the weights grow and grow. Where the "
        "input makes z = 0 the factor is |w|/4, and it exceeds 1 as soon as |w| exceeds 4. Far from there σ′ is tiny, and the "
        "gradient vanishes as before.</p>"
        "<p>With activations that do not saturate, gradients do explode, and often in the course of training. A deep relu "
        "network that starts well (He) is trained with a step that is too large. Within a few epochs the weights grow, the "
        "product of the layers with them, most of all in the first layer ({{ figure.first_relu }}), and the next step is larger still; after a few "
        "more, numbers overflow in most networks ({{ figure.cost_relu }}), and in the rest all relu neurons are dead. Nothing is learnt any more. "
        "Clipping cuts the gradient to length 1 before each step. Its direction stays, the explosion is gone, and most of "
        "the same networks learn with the same η, though not smoothly ({{ figure.error_relu }}); now and then one of them dies all the same.</p>"
        "<p>Neurons that saturate behave differently. Tanh networks that start with large weights, W from N(0, 16/fan_in), have "
        "gradients that are longer in the first layer than in the last before any training; but they do not grow further. The "
        "first long steps push the neurons into saturation, and the gradient of the first layer falls by orders of magnitude ({{ figure.first_tanh }}): "
        "what began as an explosion ends as a vanishing gradient, and the network learns next to nothing ({{ figure.cost_tanh }}). With clipping the steps are "
        "short, the neurons stay out of saturation, and the network learns ({{ figure.error_tanh }}).</p>",
        "<p>梯度爆炸可以人为地构造出来。每层一个神经元，w = 100，b = −100 a，于是每个带权输入都是 z = w a + b = 0，那里 σ′ = 1/4，每一层都把梯度乘以 100 · 1/4 = 25：见{{ table.chain }}。</p>"
        "<p>随机出现则很罕见。σ′(z) = s(1 − s)，其中 s = σ(z)，最大为 1/4，所以 |w σ′(z)| ≥ 1 要求 |w| ≥ 4（{{ figure.factor }}）。此时 s(1 − s) ≥ 1/|w| 在 s² − s + 1/|w| = 0 的两个根之间成立。较大的根 s = (1 + √(1 − 4/|w|))/2 对应 z<sub>0</sub> = ln(s/(1 − s)) = ln(|w| s − 1)，因为 1/(1 − s) = |w| s。所以 z 可以取 −z<sub>0</sub> 到 z<sub>0</sub> 之间的任何值；由于 z = w a + b，无论 b 是多少，激活值 a 都可以落在宽度为 (2/|w|) ln(|w|(1 + √(1 − 4/|w|))/2 − 1) 的区间里。虽然 a 可以取 0 到 1 之间的任何值，这个区间却从不宽于 0.45（{{ figure.width }}）：权重再大，区间反而变窄。这就是 sigmoid 网络的梯度几乎总是消失的原因。</p>"
        "<p>不过，训练可以达到这一点。{{ figure.growing }} 中，由三个 sigmoid 神经元组成的链学习区分大于 1/2 与小于 1/2 的输入。代价（即损失函数）没有极小值：台阶越陡，代价越低，所以权重不断增大。在使 z = 0 的输入处，因子为 |w|/4，一旦 |w| 超过 4，它就大于 1。在远离该处的输入上，σ′ 很小，梯度照样消失。</p>"
        "<p>对不会饱和的激活函数，梯度确实会爆炸，而且常常发生在训练过程中。用过大的学习率 η 训练一个初始化良好（He 初始化）的深度 relu 网络：几轮之内权重变大，各层因子的乘积随之变大，第一层的梯度变得最大（{{ figure.first_relu }}），下一步就更大；再过几轮，大多数网络数值溢出（{{ figure.cost_relu }}），其余网络的 relu 神经元全部死亡，什么也学不到了。梯度裁剪在每一步之前把梯度的长度限制为不超过 1：方向不变，不再爆炸，同样的网络用同样的 η 大多能学会，尽管错误率时高时低（{{ figure.error_relu }}）；偶尔仍有网络死亡。</p>"
        "<p>会饱和的神经元则不同。初始权重很大的 tanh 网络，W 取自 N(0, 16/fan_in)，在训练之前第一层的梯度就比最后一个隐藏层的长，但此后不再增长。最初几个很大的步长把神经元推入饱和区，第一层的梯度缩小到千分之一以下（{{ figure.first_tanh }}）：以梯度爆炸开始，以梯度消失结束，网络几乎学不到什么（{{ figure.cost_tanh }}）。有了裁剪，步长变小，神经元不会落入饱和区，网络就能学习（{{ figure.error_tanh }}）。</p>",
    ),
    "activation": ("activation a, with b = −w/2", "激活值 a，取 b = −w/2"),
    "product": ("|w σ′(w a + b)|", "|w σ′(w a + b)|"),
    "width": ("width of the interval of a", "a 的区间宽度"),
    "formula": ("formula", "公式"),
    "counted": ("counted on a grid", "在网格上计数"),
    "free": ("without clipping", "不裁剪"),
    "clipped": ("clipped to length 1", "裁剪到长度 1"),
    "first": ("|dC/db|", "|dC/db|"),
    "last": ("… last hidden layer", "……最后一个隐藏层"),
    "cost": ("cost", "代价"),
    "hidden": ("hidden layer {number}", "第 {number} 隐藏层"),
    "largest": ("largest |w σ′(z)| of all inputs", "所有输入中最大的 |w σ′(z)|"),
    "error": ("wrong answers, %", "错误率（%）"),
    "epoch": ("epoch", "训练轮数"),
    "layer": ("layer", "层"),
    "factor": ("over the next layer’s", "与后一层之比"),
    "figure.factor": (
        "The factor of a layer against the activation that enters it; above the dashed line the gradient grows.",
        "一层的因子与输入该层的激活值的关系；虚线以上，梯度增大。",
    ),
    "figure.width": (
        "Width of the interval of activations for which the factor is at least 1, against |w|.",
        "使因子不小于 1 的激活值区间的宽度与 |w| 的关系。",
    ),
    "figure.growing": (
        "Chains of three sigmoid neurons that learn a step: largest factor |w σ′(z)| of all inputs, by hidden layer, through training; median and 5–95 % of the random starts.",
        "学习一个台阶函数的三神经元 sigmoid 链：训练过程中各隐藏层在所有输入上最大的因子 |w σ′(z)|；各随机起点的中位数与 5–95% 区间。",
    ),
    "figure.first_relu": (
        "Relu networks with eight hidden layers: length of the first layer’s gradient in the first epochs, median and "
        "5–95 % of all random starts; dotted, the last hidden layer’s median. What is below 10⁻⁸ is drawn there, and what is "
        "above 10¹² or has overflowed at 10¹².",
        "八个隐藏层的 relu 网络：训练最初若干轮中第一层梯度的长度，所有随机起点的中位数与 5–95% 区间；点线为最后一个隐藏层的中位数。小于 10⁻⁸ 的值画在 10⁻⁸ 处，大于 10¹² 或溢出的值画在 10¹² 处。",
    ),
    "figure.cost_relu": (
        "Cost of the same relu networks; what has overflowed is drawn at 10¹².",
        "同一批 relu 网络的代价；溢出的值画在 10¹² 处。",
    ),
    "figure.error_relu": (
        "Wrong answers of the relu networks; a network whose numbers have overflowed has no right answer.",
        "relu 网络的错误率；数值溢出的网络全部答错。",
    ),
    "figure.first_tanh": (
        "Tanh networks that start with large weights: length of the first layer’s gradient; dotted, the last hidden "
        "layer’s. It is longer in the first layer at the start, and gone after a few long steps unless it is clipped.",
        "初始权重很大的 tanh 网络：第一层梯度的长度；点线为最后一个隐藏层。开始时第一层的梯度更长；若不裁剪，几个很大的步长之后就消失了。",
    ),
    "figure.cost_tanh": ("Cost of the same tanh networks.", "同一批 tanh 网络的代价。"),
    "figure.error_tanh": ("Wrong answers of the tanh networks.", "tanh 网络的错误率。"),
    "alt.growing": (
        "Two curves, one per hidden layer, that stay near 0.1 at first, rise steeply between 100 and 500 epochs, cross the dashed line at 1 and go on to about 3.",
        "两条曲线，每个隐藏层一条，起初停在 0.1 附近，在 100 到 500 轮之间陡升，越过 1 处的虚线，最后达到约 3。",
    ),
    "alt.factor": (
        "Five humps around a = 1/2, for w = 3 to 100, on a logarithmic axis: the larger w, the higher and the narrower. That of w = 3 stays below the dashed line at 1, that of w = 4 touches it.",
        "对数坐标上以 a = 1/2 为中心的五个峰，w 从 3 到 100：w 越大，峰越高越窄。w = 3 的峰低于 1 处的虚线，w = 4 的恰好触及。",
    ),
    "alt.width": (
        "A curve that is 0 up to |w| = 4, rises steeply to 0.4477 at |w| = 6.8942 and falls slowly to about 0.1 at 100; the counted dots lie on it.",
        "一条曲线，|w| 不超过 4 时为 0，随后陡升到 |w| = 6.8942 处的 0.4477，再缓慢降到 100 处的约 0.1；计数得到的点落在其上。",
    ),
    "alt.first_relu": (
        "Without clipping the curve shoots up within a few epochs to the upper limit of 10¹², the first layer before the last; with clipping it stays between about 0.01 and 1.",
        "不裁剪时，曲线在几轮之内就冲到 10¹² 的上限，第一层先于最后一层；裁剪时，曲线保持在约 0.01 到 1 之间。",
    ),
    "alt.cost_relu": (
        "Without clipping the cost shoots up to the upper limit of 10¹² within a few epochs; with clipping it falls slowly from a few nats.",
        "不裁剪时，代价在几轮之内冲到 10¹² 的上限；裁剪时，从几奈特缓慢下降。",
    ),
    "alt.error_relu": (
        "Without clipping wrong answers rise from 90 % to 100 % within a few epochs and stay there; with clipping they fall, with a wide band.",
        "不裁剪时，错误率在几轮之内从 90% 升到 100% 并停在那里；裁剪时，错误率下降，区间很宽。",
    ),
    "alt.first_tanh": (
        "Both begin at a few units, above the last layer’s dotted curve. Without clipping the curve falls below 10⁻⁴ within some ten epochs, far under the dotted one; with clipping it stays near 0.1 to 1.",
        "两条曲线都从几个单位开始，高于最后一层的点线。不裁剪时，曲线在十几轮之内降到 10⁻⁴ 以下，远低于点线；裁剪时，保持在约 0.1 到 1 之间。",
    ),
    "alt.cost_tanh": (
        "Without clipping the cost falls fast and then stays near 3.3; with clipping it falls more slowly at first, and then further.",
        "不裁剪时，代价迅速下降，然后停在 3.3 附近；裁剪时，开始降得较慢，之后降得更低。",
    ),
    "alt.error_tanh": (
        "Without clipping wrong answers stay near 90 %; with clipping they fall steadily.",
        "不裁剪时，错误率停在 90% 附近；裁剪时，稳步下降。",
    ),
    "table.chain": (
        "One neuron a layer, w = 100 and b = −100 a: gradient of every layer by back-propagation.",
        "每层一个神经元，w = 100，b = −100 a：由反向传播得到的各层梯度。",
    ),
    "finding.factor": ("factor of a layer with w = 100, b = −100 a", "w = 100，b = −100 a 时每层的因子"),
    "finding.at": ("|w| of the widest interval", "使区间最宽的 |w|"),
    "finding.widest": ("its width", "最宽区间的宽度"),
    "finding.counted": ("formula against counting, largest difference", "公式与计数结果的最大差别"),
    "finding.below": ("width counted for |w| < 4", "|w| < 4 时计数得到的宽度"),
    "finding.growing_start": (
        "chains that learn a step: largest factor before training",
        "学习台阶函数的链：训练之前最大的因子",
    ),
    "finding.growing_end": (
        "chains that learn a step: share with a factor above 1 at the end",
        "学习台阶函数的链：训练结束时有因子大于 1 的链所占比例",
    ),
    "finding.growing_least": (
        "chains that learn a step: smallest |w| with a factor of at least 1",
        "学习台阶函数的链：因子不小于 1 时最小的 |w|",
    ),
    "finding.grows": (
        "relu, no clipping: largest finite gradient of the first layer in training, over that at the start (median)",
        "relu，不裁剪：训练中第一层梯度的最大值（溢出之前）与训练前之比（中位数）",
    ),
    "finding.first_last": (
        "relu, no clipping: first layer’s gradient over the last hidden layer’s, where it is largest (median)",
        "relu，不裁剪：梯度最大时，第一层与最后一个隐藏层之比（中位数）",
    ),
    "finding.lost": (
        "relu, no clipping: share of networks whose numbers overflow",
        "relu，不裁剪：数值溢出的网络所占比例",
    ),
    "finding.clipped_relu": (
        "relu: median error at the end with clipping (without)",
        "relu：训练结束时错误率的中位数，裁剪时（不裁剪时）",
    ),
    "finding.start_tanh": (
        "tanh, before training: first layer’s gradient over the last hidden layer’s (median)",
        "tanh，训练之前：第一层与最后一个隐藏层的梯度之比（中位数）",
    ),
    "finding.fades_tanh": (
        "tanh, no clipping: first layer’s gradient at the end over that at the start",
        "tanh，不裁剪：训练结束时与训练前的第一层梯度之比",
    ),
    "finding.clipped_tanh": (
        "tanh: median error at the end with clipping (without)",
        "tanh：训练结束时错误率的中位数，裁剪时（不裁剪时）",
    ),
}
