"""Texts of the lesson on remedies."""

TEXTS = {
    "title": ("What helps", "有什么办法"),
    "lead": (
        "Ten hidden layers, and every usual remedy beside the network that does not learn: other activations, other starts, "
        "residual branches, normalisation, clipping.",
        "十个隐藏层，把每一种常用的办法与学不会的网络放在一起比较：其他激活函数、其他初始化、残差分支、归一化、梯度裁剪。",
    ),
    "body": (
        "<p>Each row is a way to build and to train the same network, 784 inputs, ten hidden layers of 30, 10 outputs, from "
        "the same seeds, with mini-batches of ten. Each gets the best of four learning rates, 0.01, 0.03, 0.1 and 0.3, by the "
        "median cost at the end. Left: the gradient of every layer before training, relative to the tenth: blue is smaller, "
        "red is larger, white is what one wants. Right: wrong answers through training.</p>"
        "<p>What the start does is predicted by mean-field theory without any training: from one hidden layer to the next "
        "gradients grow by χ<sub>1</sub><sup>−1/2</sup>, which depends on the activation and on the size of the weights "
        "alone. The default start of PyTorch, uniform on ±1/√fan_in, has weights of σ<sub>w</sub>² = 1/3: far too small for "
        "every activation here. Xavier’s start suits tanh, He’s suits relu; the critical start is the σ<sub>w</sub> that "
        "theory gives for the activation at this depth, which for sigmoid is near 10.</p>"
        "<p>Residual branches and normalisation change the rule itself. With x<sup>l</sup> = x<sup>l−1</sup> + φ(h<sup>l"
        "</sup>) the gradient always has a way back that nothing multiplies: even the sigmoid network learns at once. "
        "Normalisation sets the size of the weighted inputs anew in every layer, and with it the slope. Batch normalisation "
        "uses the statistics of the batch at hand here, in training and in measuring. Layer normalisation alone does not "
        "save the sigmoid: its slope stays below 1/4. Clipping cannot help where gradients vanish; it allows larger steps "
        "where they do not.</p>"
        "<p>The last picture sums it up: networks whose gradients are about as long in the first layer as in the last learn, "
        "the others do not, or only after a remedy that acts while they train.</p>",
        "<p>每一行是构造并训练同一个网络的一种方式：784 个输入，十个各有 30 个神经元的隐藏层，10 个输出，相同的随机种子，每批十"
        "张的小批量。每种方式都取四个学习率 0.01、0.03、0.1、0.3 中最后代价的中位数最低的一个。左边：训练之前各层的梯度，相对于第十"
        "层：蓝色较小，红色较大，白色正是所希望的。右边：训练过程中的错误率。</p>"
        "<p>起点的作用由平均场理论预测，无需训练：从一个隐藏层到下一层，梯度增长 χ<sub>1</sub><sup>−1/2</sup> 倍，只取决于"
        "激活函数与权重的大小。PyTorch 的默认初始化在 ±1/√fan_in 上均匀分布，σ<sub>w</sub>² = 1/3：对这里的每一种激活函数都"
        "太小。Xavier 初始化适合 tanh，He 初始化适合 relu；临界初始化是理论对该激活函数在这一深度给出的 σ<sub>w</sub>，对 S 形"
        "函数约为 10。</p>"
        "<p>残差分支和归一化改变了规则本身。有了 x<sup>l</sup> = x<sup>l−1</sup> + φ(h<sup>l</sup>)，梯度总有一条不被任何东西"
        "相乘的回路：连 S 形网络也马上学会。归一化在每一层重新设定带权输入的大小，从而设定斜率。这里的批归一化在训练和测量时都用"
        "当前这一批的统计量。单靠层归一化救不了 S 形函数：它的斜率仍然小于 1/4。梯度消失时，裁剪无济于事；不消失时，它允许更大的"
        "步长。</p>"
        "<p>最后一幅图作了总结：第一层与最后一层梯度长度相近的网络学得会；其余的学不会，或者要靠在训练中起作用的办法。</p>",
    ),
    "layer": ("hidden layer", "隐藏层"),
    "start": ("gradient", "梯度"),
    "training": ("wrong answers", "错误率"),
    "epoch": ("epoch", "训练轮数"),
    "relative": ("log₁₀ |dC/db|, layer 10 = 0", "log₁₀ |dC/db|，第 10 层 = 0"),
    "growth": ("growth per layer", "每层增长倍数"),
    "predicted": ("mean field", "平均场"),
    "remedy": ("remedy", "办法"),
    "cost": ("cost", "代价"),
    "error": ("wrong answers, %", "错误率，%"),
    "lost": ("diverged, %", "发散，%"),
    "start.normal": ("N(0, 1/n)", "N(0, 1/n)"),
    "start.default": ("default", "默认"),
    "start.xavier": ("Xavier", "Xavier"),
    "start.he": ("He", "He"),
    "start.critical": ("critical", "临界"),
    "extra.": ("plain", "无"),
    "extra.residual": ("residual", "残差"),
    "extra.layer": ("layer norm", "层归一化"),
    "extra.batch": ("batch norm", "批归一化"),
    "extra.clip": ("clipped", "裁剪"),
    "figure.overview": (
        "Every remedy: gradients of the ten hidden layers before training, and wrong answers through training, from 100 % "
        "down to 0 in every row (median, 5–95 %, and the number at the end).",
        "每一种办法：训练前十个隐藏层的梯度，以及训练过程中的错误率，每行从 100% 到 0（中位数、5–95% 区间和最后的数值）。",
    ),
    "figure.growth": (
        "Growth of the gradient per layer before training, measured (median, 5–95 %) against mean-field theory.",
        "训练前梯度每层的增长倍数，实测（中位数、5–95%）与平均场理论的比较。",
    ),
    "figure.outcome": (
        "Wrong answers at the end against the growth of the gradient before training; a point is a remedy.",
        "最后的错误率与训练前梯度增长倍数的关系；一个点是一种办法。",
    ),
    "table.remedies": (
        "Every remedy with its best η: growth of the gradient per layer at the start, and medians at the end.",
        "每一种办法及其最好的 η：起点处梯度每层的增长倍数，以及最后的中位数。",
    ),
    "finding.sigmoid/normal": ("growth per layer, sigmoid, N(0, 1/n)", "每层增长倍数，S 形，N(0, 1/n)"),
    "finding.relu/default": ("growth per layer, relu, default start: √6", "每层增长倍数，relu，默认初始化：√6"),
    "finding.relu/he": ("growth per layer, relu, He", "每层增长倍数，relu，He"),
    "finding.tanh/xavier": ("growth per layer, tanh, Xavier", "每层增长倍数，tanh，Xavier"),
    "finding.all": (
        "growth, measured over mean field or the reverse, all starts",
        "增长倍数实测与平均场之比（或其倒数），所有初始化",
    ),
    "finding.residual": (
        "sigmoid: error with residual branches / without",
        "S 形：有残差分支 / 没有残差分支时的错误率",
    ),
    "finding.flat": (
        "median error of remedies with growth from 0.7 to 1.3 / above 2",
        "增长倍数在 0.7 到 1.3 之间 / 大于 2 的办法的错误率中位数",
    ),
}
