"""Texts of the lesson on the gradient of every neuron."""

TEXTS = {
    "title": ("The gradient of every neuron", "每个神经元的梯度"),
    "lead": (
        "In a random network that has not been trained at all, the neurons of the second hidden layer would already learn "
        "much faster than those of the first.",
        "在一个完全没有训练过的随机网络里，第二隐藏层的神经元就已经比第一隐藏层学得快得多。",
    ),
    "body": (
        "<p>A bar in the drawing is |∂<i>C</i>/∂<i>b</i>| of one neuron: how fast its bias changes at the first step of "
        "gradient descent, and, up to a factor (the activation that enters), how fast its weights change. All bars of a "
        "drawing have the same scale.</p><p>The bars of one layer differ, since its weights are random. But from layer to "
        "layer they grow together. The network with four hidden layers shows what that means: the bars of its first "
        "layers are too short to be seen.</p>",
        "<p>图中的每根条是一个神经元的 |∂<i>C</i>/∂<i>b</i>|：梯度下降第一步中它的偏置改变得有多快；它的权重也是如此，"
        "只差所乘的激活值。同一幅图里所有的条用同一比例。</p><p>同一层的条长短不一，因为权重是随机的。但从一层到下一层，"
        "它们一起变长。四个隐藏层的网络说明了这意味着什么：前几层的条短得看不见。</p>",
    ),
    "input": ("input", "输入"),
    "output": ("output", "输出"),
    "layer": ("hidden {number}", "隐藏层 {number}"),
    "gradient": ("|dC/db| of a neuron", "单个神经元的 |dC/db|"),
    "neurons": ("neurons", "神经元个数"),
    "figure.network_2": (
        "A network with two hidden layers. Ten of the 30 neurons of each are drawn, with |∂C/∂b| as bars.",
        "两个隐藏层的网络。每层 30 个神经元中画出十个，条长为 |∂C/∂b|。",
    ),
    "figure.network_4": ("The same with four hidden layers.", "四个隐藏层的网络，同样的画法。"),
    "figure.neurons": (
        "|∂C/∂b| of all neurons of all random networks with four hidden layers, on a logarithmic axis.",
        "四个隐藏层的所有随机网络中全部神经元的 |∂C/∂b|，对数坐标。",
    ),
    "finding.faster": (
        "share of random networks whose second hidden layer is faster than the first",
        "第二隐藏层快于第一隐藏层的随机网络所占比例",
    ),
    "finding.ratio": (
        "median ratio of the lengths, layer 2 over layer 1 (mean field)",
        "长度之比的中位数，第 2 层比第 1 层（平均场）",
    ),
    "finding.ordered": (
        "share of networks with four hidden layers in which every layer is faster than the layer below",
        "四个隐藏层的网络中每一层都快于下一层的网络所占比例",
    ),
}
