"""Texts of the lesson on the gradient of every neuron."""

TEXTS = {
    "title": ("The gradient of every neuron", "每个神经元的梯度"),
    "lead": (
        "In a random network that has not been trained at all, the neurons of the second hidden layer would already learn "
        "much faster than those of the first.",
        "在一个尚未训练的随机网络里，第二个隐藏层的神经元就会比第一个隐藏层的学得快得多。",
    ),
    "body": (
        "<p>A bar in {{ figure.network_2 }} is |∂<i>C</i>/∂<i>b</i>| of one neuron: how fast its bias changes at the first step of "
        "gradient descent, and, up to a factor (the activation that enters), how fast its weights change. All bars of a "
        "drawing have the same scale.</p><p>The bars of one layer differ, since its weights are random. But from layer to "
        "layer they grow together. The network with four hidden layers ({{ figure.network_4 }}) shows what that means: the bars of its first "
        "layers are too short to be seen. "
        "{{ figure.neurons }} counts the neurons of all random networks: each layer’s peak lies about five times further right.</p>",
        "<p>{{ figure.network_2 }} 中每个神经元旁的横条表示它的 |∂<i>C</i>/∂<i>b</i>|（<i>C</i> 是代价，即损失函数），也就是梯度下降第一步中偏置变化的快慢；权重变化的快慢与之只差一个因子，即该权重所乘的激活值。同一幅图中所有横条的比例尺相同。</p><p>同一层的横条长短不一，因为权重是随机的；但从前一层到后一层，横条整体变长。四个隐藏层的网络（{{ figure.network_4 }}）清楚地表明了后果：前几层的横条短得看不见。{{ figure.neurons }} 统计了所有随机网络的神经元：每往后一层，峰值就向右移到约五倍处。</p>",
    ),
    "input": ("input", "输入"),
    "output": ("output", "输出"),
    "layer": ("hidden {number}", "隐藏层 {number}"),
    "gradient": ("|dC/db| of a neuron", "单个神经元的 |dC/db|"),
    "neurons": ("neurons", "神经元个数"),
    "figure.network_2": (
        "A network with two hidden layers. Ten of the 30 neurons of each are drawn, with |∂C/∂b| as bars.",
        "两个隐藏层的网络。每层 30 个神经元只画出十个，横条的长度为 |∂C/∂b|。",
    ),
    "figure.network_4": ("The same with four hidden layers.", "四个隐藏层的网络，画法同上。"),
    "figure.neurons": (
        "|∂C/∂b| of all neurons of all random networks with four hidden layers, on a logarithmic axis.",
        "四个隐藏层的全部随机网络中，所有神经元的 |∂C/∂b| 的分布（对数坐标）。",
    ),
    "alt.network_2": (
        "Columns of circles, joined by thin lines, from input to output. The bars beside the circles of hidden layer 2 are several times as long as those of layer 1.",
        "从输入到输出排成几列的圆圈，由细线相连。第 2 隐藏层圆圈旁的横条比第 1 隐藏层的长好几倍。",
    ),
    "alt.network_4": (
        "The same with four hidden columns. Only layer 4 has long bars; those of layer 3 are short, and those of layers 1 and 2 are hardly visible.",
        "同样的画法，四列隐藏层。只有第 4 层的横条较长；第 3 层的很短，第 1、2 层的几乎看不见。",
    ),
    "alt.neurons": (
        "Four histograms of similar shape on a logarithmic axis, one per layer, each further right than the one before: peaks near 0.0003, 0.0015, 0.01 and 0.05.",
        "对数坐标上四个形状相近的直方图，每层一个，依次向右：峰值约在 0.0003、0.0015、0.01 和 0.05 处。",
    ),
    "finding.faster": (
        "share of random networks whose second hidden layer is faster than the first",
        "第二个隐藏层快于第一个隐藏层的随机网络所占比例",
    ),
    "finding.ratio": (
        "median ratio of the lengths, layer 2 over layer 1 (mean field)",
        "第 2 层与第 1 层梯度长度之比的中位数（平均场理论）",
    ),
    "finding.ordered": (
        "share of networks with four hidden layers in which every layer is faster than the layer below",
        "四个隐藏层的网络中，每一层都快于前一层的网络所占比例",
    ),
}
