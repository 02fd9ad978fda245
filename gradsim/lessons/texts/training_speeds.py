"""Texts of the lesson on speeds through training."""

TEXTS = {
    "title": ("How fast each layer learns through training", "训练过程中每一层的学习速度"),
    "lead": (
        "With four hidden layers the first learns about a hundred times slower than the fourth, and it stays far slower through "
        "training.",
        "有四个隐藏层时，第一层的学习速度大约只有第四层的百分之一，而且在整个训练过程中都慢得多。",
    ),
    "body": (
        "<p>Gradient descent on the whole training set: 1,000 images, η = 0.1, λ = 5, {% if quick %}80{% else %}500{% endif %} epochs, cross-entropy. The speed "
        "of a layer is again the length of δ<sup>l</sup> = ∂C/∂b<sup>l</sup>. All lengths fall quickly ({{ figure.lengths_2 }}, {{ figure.lengths_3 }} and {{ figure.lengths_4 }}), since the output "
        "layer soon finds the frequencies of the classes; but with three or four hidden layers they keep their distance, on a "
        "logarithmic axis, in every random start ({{ figure.ratio }}).</p>"
        "<p>What that means for the weights is seen without L2, where nothing but learning moves them. {{ figure.moved }} shows "
        "how far the weights of a layer have moved from their start, |W<sub>t</sub> − W<sub>0</sub>|/|W<sub>0</sub>|. The "
        "output layer covers most of its distance in the first epochs and then stays; the first layer is still at its random "
        "start when training ends ({{ figure.weights }} and {{ table.convergence }}). The later layers thus fit themselves to features that are random.</p>"
        "<p>The early layers can learn. With a larger η or many more epochs they move in the end, and then "
        "the cost falls: see the lesson on depth. What is lost is time.</p>",
        "<p>在整个训练集上做梯度下降：1,000 张图像，学习率 η = 0.1，L2 正则化系数 λ = 5，{% if quick %}80{% else %}500{% endif %} 轮，代价函数（即损失函数）为交叉熵。一层的学习速度仍然是 δ<sup>l</sup> = ∂C/∂b<sup>l</sup> 的长度。所有长度都很快下降（{{ figure.lengths_2 }}、{{ figure.lengths_3 }} 和{{ figure.lengths_4 }}），因为输出层很快就学会了各类别的频率；但有三个或四个隐藏层时，无论从哪个随机起点出发，各层在对数坐标上都始终相距很远（{{ figure.ratio }}）。</p>"
        "<p>这对权重意味着什么？这要在没有 L2 正则化时来看，那时只有学习才会改变权重。{{ figure.moved }} 画出一层的权重离开起点有多远，|W<sub>t</sub> − W<sub>0</sub>|/|W<sub>0</sub>|。输出层在最初几轮就走完了大部分路程，此后几乎不动；训练结束时，第一层仍停留在随机的起点附近（{{ figure.weights }} 和{{ table.convergence }}）。因此，后面的层只是在适应随机的特征。</p>"
        "<p>前面的层并非学不会。学习率 η 更大，或训练轮数多得多，它们最终也会改变，代价随之下降：见关于深度的一课。损失的只是时间。</p>",
    ),
    "epoch": ("epoch", "训练轮数"),
    "length": ("length of the averaged delta", "平均 δ 的长度"),
    "hidden": ("{count} hidden layers", "{count} 个隐藏层"),
    "layer": ("hidden {number}", "隐藏层 {number}"),
    "output": ("output", "输出层"),
    "ratio": ("layer 4 over layer 1", "第 4 层与第 1 层之比"),
    "moved": ("|W − W₀| / |W₀|", "|W − W₀| / |W₀|"),
    "to90": ("epochs to 90 %", "达到 90% 的轮数"),
    "which": ("layer", "层"),
    "before": ("before", "训练前"),
    "after": ("after", "训练后"),
    "share": ("weights", "权重的占比"),
    "weight": ("weight × √fan_in", "权重 × √fan_in"),
    "figure.lengths_2": (
        "Two hidden layers: median and 5–95 % of the random starts.",
        "两个隐藏层：中位数与 5–95% 区间。",
    ),
    "figure.lengths_3": ("Three hidden layers.", "三个隐藏层。"),
    "figure.lengths_4": ("Four hidden layers.", "四个隐藏层。"),
    "figure.ratio": (
        "Speed of the fourth hidden layer over that of the first; the dashed line is 100.",
        "第四个隐藏层与第一个隐藏层的学习速度之比；虚线为 100。",
    ),
    "figure.moved": (
        "How far the weights have moved from their random start, four hidden layers, no L2.",
        "权重离开随机起点的距离，四个隐藏层，没有 L2 正则化。",
    ),
    "figure.weights": (
        "Weights of the first and of the output layer before and after training, without L2.",
        "第一层与输出层的权重在训练前后的分布，没有 L2 正则化。",
    ),
    "alt.lengths_2": (
        "Two falling curves on a logarithmic axis, layer 2 above layer 1; the gap closes towards the end.",
        "对数坐标上两条下降的曲线，第 2 层在第 1 层之上；间距到后来缩小。",
    ),
    "alt.lengths_3": (
        "Three falling curves, one above the other in the order of the layers, which stay apart.",
        "三条下降的曲线，按层的顺序一条在另一条之上，始终分开。",
    ),
    "alt.lengths_4": (
        "Four falling curves, one above the other in the order of the layers, about a factor of five apart at the start; they stay apart.",
        "四条下降的曲线，按层的顺序一条在另一条之上，开始时相邻两条约差五倍；始终分开。",
    ),
    "alt.ratio": (
        "A curve that begins a little above the dashed line at 100 and then sinks below it, with a band about a factor of two wide.",
        "一条曲线，开始时略高于 100 处的虚线，后来降到虚线以下；区间约宽两倍。",
    ),
    "alt.moved": (
        "Five curves that rise at once and level off, in the order of the layers: the output reaches the order of 1, hidden layer 1 only a few thousandths.",
        "五条曲线迅速上升后趋平，按层的顺序排列：输出层达到 1 的量级，第 1 隐藏层只有千分之几。",
    ),
    "alt.weights": (
        "Above, two bell curves of the first layer’s weights that cannot be told apart; below, the output layer’s: after training its histogram has moved and changed its shape.",
        "上图：第一层权重的两条钟形曲线，无法区分；下图：输出层的权重，训练后直方图移动并变了形。",
    ),
    "table.convergence": (
        "How far each layer’s weights moved without L2, and the epoch at which 90 % of that was reached (medians).",
        "没有 L2 正则化时，各层权重移动的距离，以及达到该距离的 90% 所需的轮数（中位数）。",
    ),
    "finding.start": (
        "layer 4 over layer 1 before training (90 % of networks)",
        "训练前第 4 层与第 1 层之比（90% 的网络）",
    ),
    "finding.whole": ("the same, median of all epochs", "同上，所有轮数的中位数"),
    "finding.moved": (
        "distance moved by the output weights over that of the first layer",
        "输出层与第一层的权重移动距离之比",
    ),
    "finding.start_stays": (
        "distance moved by the first layer’s weights, relative to their size",
        "第一层权重移动的距离，相对于权重的大小",
    ),
}
