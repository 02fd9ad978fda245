"""Texts of the lesson on remedies."""

TEXTS = {
    "title": ("What helps", "有什么办法"),
    "lead": (
        "Ten hidden layers, and {% if quick %}some of the{% else %}every{% endif %} usual remed{{ 'ies' if quick else 'y' }} side by side with the network that does not learn: other activations, other starts, "
        "residual branches, normalisation, clipping.",
        "十个隐藏层，把{% if quick %}几种{% else %}每一种{% endif %}常用的办法与学不会的网络放在一起比较：其他激活函数、其他初始化、残差分支、归一化、梯度裁剪。",
    ),
    "body": (
        "<p>Each row of {{ figure.overview }} is a way to build and to train the same network, 784 inputs, ten hidden layers of 30, 10 outputs, from "
        "the same seeds, with mini-batches of ten. {% if quick %}All have the learning rate 0.1; in the full form there are more of them, each with the best of eight "
        "learning rates.{% else %}Each gets the best of eight learning rates from 0.0003 to 1: the one with "
        "which four networks have the lowest median cost at the end.{% endif %} Left: the gradient of "
        "every layer before training, relative to the tenth: blue is smaller, red is larger, white is the goal. Right: "
        "wrong answers through training. {{ table.remedies }} has the numbers.</p>"
        "<p>From one hidden layer to the next, mean-field theory says, the gradient of an image grows by "
        "χ<sub>1</sub><sup>−1/2</sup>, which depends on the activation and on the size of weights and biases alone. The "
        "default start of PyTorch, uniform on ±1/√fan_in, has σ<sub>w</sub>² = 1/3: too small for every activation here{% if not quick %}, "
        "least for selu{% endif %}; for relu it gives √6. Xavier’s start has χ<sub>1</sub> = 1 for tanh, He’s for relu. The critical "
        "start is the σ<sub>w</sub> at which theory gives a gain of 1 over this depth{% if not quick %}: 10.6 for sigmoid, 1.44 for gelu, "
        "which has no critical point at infinite depth{% endif %}.</p>"
        "<p>χ<sub>1</sub> holds at the fixed point of q, and ten layers are too few to get there from images whose pixels "
        "have a mean square of 0.11. The same formula, followed layer by layer from the images, is what {{ figure.growth }} "
        "compares with. What is left is the finite width: a few per cent{% if not quick %}, and a tenth for the critical sigmoid with its large weights{% endif %}. Averaging over 1,000 images changes more: gradients "
        "of different images cancel more in the first layers than in the last, so that their mean grows faster, with relu "
        "by about a tenth per layer.</p>"
        "<p>Residual branches and normalisation change the rule itself. With x<sup>l</sup> = x<sup>l−1</sup> + φ(h<sup>l"
        "</sup>) the gradient always has a way back that nothing multiplies: even the sigmoid network learns at once. "
        "{% if not quick %}With relu the branches add to it, the first layer has the largest gradient, and the learning rate has to be smaller. {% endif %}"
        "Normalisation sets the size of the weighted inputs anew in every layer. {% if not quick %}Layer normalisation does not save the "
        "sigmoid, whose slope is never above 1/4. {% endif %}Batch normalisation, with the statistics of the batch at hand in "
        "training and in measuring, saves even the sigmoid: the next layer takes away what a bias adds to all images, which makes gradients of "
        "biases small in all layers but the last, yet those of weights are about equally long from the second layer on (see "
        "{{ table.remedies }}).</p>"
        "<p>Clipping cuts what is too long. Where gradients vanish it cannot help; where they do not, it allows larger "
        "learning rates.</p>"
        "<p>{{ figure.outcome }} sums it up: networks whose gradients are about as long in the first layer as in the last learn; "
        "beyond a factor of about 2.5 per layer none does{% if not quick %}, with any of the learning rates{% endif %}.</p>",
        "<p>{{ figure.overview }} 的每一行是构造并训练同一个网络的一种方式：784 个输入，十个各有 30 个神经元的隐藏层，10 个输出，相同的随机种子，每批十张图像的小批量。{% if quick %}学习率一律取 0.1；完整版的方式更多，并且各自从八个学习率中选取最好的一个。{% else %}每种方式都从 0.0003 到 1 的八个学习率中选取最好的一个，即四个网络的最终代价（即损失函数）的中位数最低者。{% endif %}左图：训练之前各层的梯度，相对于第十层：蓝色表示较小，红色表示较大，白色是理想情形。右图：训练过程中的错误率。{{ table.remedies }} 列出了数值。</p>"
        "<p>平均场理论指出，从一个隐藏层到后一个隐藏层，单张图像的梯度变为 χ<sub>1</sub><sup>−1/2</sup> 倍，这个倍数只取决于激活函数以及权重和偏置的大小。PyTorch 的默认初始化在 ±1/√fan_in 上均匀分布，σ<sub>w</sub>² = 1/3：对这里的每一种激活函数都太小{% if not quick %}，其中 selu 相差最少{% endif %}；对 relu 得到的倍数是 √6。Xavier 初始化使 tanh 的 χ<sub>1</sub> = 1，He 初始化使 relu 的 χ<sub>1</sub> = 1。临界初始化取理论上在这一深度总倍数为 1 的 σ<sub>w</sub>{% if not quick %}：sigmoid 为 10.6，gelu 为 1.44，而 gelu 在深度无限时没有临界点{% endif %}。"
        "</p>"
        "<p>χ<sub>1</sub> 在 q 的不动点处成立，而图像的均方值为 0.11，十层不足以到达不动点。{{ figure.growth }} 中用来比较的预测值，是用同一公式从图像出发逐层计算得到的。剩下的差别来自有限的宽度：一般为百分之几{% if not quick %}，权重很大的临界 sigmoid 网络约为十分之一{% endif %}。对 1,000 张图像取平均带来的差别更大：不同图像的梯度在前面的层比在后面的层抵消得更多，因此平均梯度逐层增长得更快，对 relu 每层约快十分之一。</p>"
        "<p>残差分支和归一化改变了规则本身。有了 x<sup>l</sup> = x<sup>l−1</sup> + φ(h<sup>l</sup>)，梯度总有一条不乘任何因子的返回通路：连 sigmoid 网络也很快就能学会。{% if not quick %}对 relu，各分支的梯度逐层累加，第一层的梯度最大，学习率必须更小。{% endif %}归一化在每一层重新设定带权输入的大小。{% if not quick %}层归一化对 sigmoid 无效，因为它的导数从不超过 1/4。{% endif %}批归一化在训练和测量时都使用当前这一批的统计量，对 sigmoid 也有效：偏置给所有图像加上的同一个量会被后一层减去，所以只有最后一层偏置的梯度较大，前面各层都很小；而权重的梯度从第二层起各层长度相近（见{{ table.remedies }}）。</p>"
        "<p>梯度裁剪只会截短过长的梯度。梯度消失时，它无济于事；梯度不消失时，它允许更大的学习率。</p>"
        "<p>{{ figure.outcome }} 作了总结：第一层与最后一层梯度长度相近的网络能学会；每层倍数超过约 2.5 时，{% if not quick %}无论用哪个学习率，{% endif %}没有一个网络能学会。</p>",
    ),
    "layer": ("hidden layer", "隐藏层"),
    "start": ("gradient", "梯度"),
    "training": ("wrong answers", "错误率"),
    "epoch": ("epoch", "训练轮数"),
    "relative": ("log₁₀ |dC/db|, layer 10 = 0", "log₁₀ |dC/db|，第 10 层 = 0"),
    "growth": ("growth per layer", "每层的增长倍数"),
    "single": ("growth per layer, single images", "每层的增长倍数，单张图像"),
    "weights": ("growth of |dC/dW|, layers 2–10", "|dC/dW| 每层的增长倍数，第 2–10 层"),
    "ratio": ("first / last layer", "第一层与最后一层之比"),
    "followed": ("mean field, from the images", "平均场，从图像出发"),
    "at_rest": ("mean field, χ₁^(−1/2)", "平均场，χ₁^(−1/2)"),
    "remedy": ("remedy", "办法"),
    "cost": ("cost", "代价"),
    "error": ("wrong answers, %", "错误率（%）"),
    "lost": ("diverged, %", "发散（%）"),
    "start.normal": ("N(0, 1/n)", "N(0, 1/n)"),
    "start.default": ("default", "默认"),
    "start.xavier": ("Xavier", "Xavier"),
    "start.he": ("He", "He"),
    "start.critical": ("critical", "临界"),
    "extra.": ("plain", "无附加措施"),
    "extra.residual": ("residual", "残差"),
    "extra.layer": ("layer norm", "层归一化"),
    "extra.batch": ("batch norm", "批归一化"),
    "extra.clip": ("clipped", "裁剪"),
    "figure.overview": (
        "Every remedy: gradients of the ten hidden layers before training, and wrong answers through training, from 100 % "
        "down to 0 in every row (median, 5–95 %, and the number at the end).",
        "每一种办法：训练前十个隐藏层的梯度，以及训练过程中的错误率，每一行从 100% 到 0（中位数、5–95% 区间和最终的数值）。",
    ),
    "figure.growth": (
        "Growth of the gradient per layer before training, measured with single images (median, 5–95 %), against "
        "mean-field theory followed layer by layer{% if not quick %}; leaky_relu lies on relu{% endif %}.",
        "训练前梯度每层的增长倍数：单张图像的实测值（中位数、5–95% 区间）与逐层计算的平均场理论值{% if not quick %}；leaky_relu 与 relu 重合{% endif %}。",
    ),
    "figure.outcome": (
        "Wrong answers at the end against the growth of the gradient before training; a point is a remedy.",
        "最终的错误率与训练前梯度增长倍数的关系；每个点代表一种办法。",
    ),
    "alt.overview": (
        "A heat map with a row for each remedy and a column for each layer, and beside it a small curve of wrong answers. Rows that are dark blue on the left, such as the plain sigmoid’s, have a red curve that stays at 90 %; rows that are nearly white have a green one that falls.",
        "热图，每种办法一行，每层一列，旁边是错误率的小曲线。左端深蓝的行，如无附加措施的 sigmoid，曲线为红色，停留在 90%；接近白色的行，曲线为绿色并下降。",
    ),
    "alt.growth": (
        "Dots, coloured by activation, lie on or close to the diagonal between about 0.8 and 5{% if not quick %} and more{% endif %}.",
        "按激活函数着色的点落在对角线上或紧靠对角线，大约在 0.8 到 5 {% if not quick %}以上{% endif %}之间。",
    ),
    "alt.outcome": (
        "Low wrong answers are found only where the growth per layer is near 1; on the right, above about 2.5, all points lie at 90 %.",
        "只有每层的增长倍数接近 1 处，错误率才低；右边约 2.5 以上，所有点都在 90% 处。",
    ),
    "table.remedies": (
        "Every remedy with its {% if not quick %}best {% endif %}η: |dC/db| of the first hidden layer over the last and its growth per layer at the start "
        "(median, 5–95 %), the same for single images, and medians at the end.",
        "每一种办法及其{% if not quick %}最好的{% endif %} η：训练前第一个与最后一个隐藏层的 |dC/db| 之比、每层的增长倍数（中位数、5–95% 区间）、单张图像的同样的量，以及训练结束时的中位数。",
    ),
    "finding.all": (
        "growth for single images over the prediction, or the inverse: largest over all starts",
        "单张图像的增长倍数与预测之比（或其倒数）：所有初始化中最大者",
    ),
    "finding.residual": (
        "sigmoid: wrong answers with residual branches, against without",
        "sigmoid：有残差分支时的错误率，与没有时相比",
    ),
    "finding.batch": (
        "sigmoid: wrong answers with batch normalisation, against without",
        "sigmoid：有批归一化时的错误率，与没有时相比",
    ),
    "finding.clip": (
        "relu, He, η = 0.1: wrong answers with clipping, against without",
        "relu，He，η = 0.1：有裁剪时的错误率，与没有时相比",
    ),
    "finding.flat": (
        "median of wrong answers: remedies with growth from 0.7 to 1.3, against above 2",
        "错误率的中位数：增长倍数在 0.7 到 1.3 之间的办法，与大于 2 的相比",
    ),
}
_STARTS = {
    "sigmoid/normal": ("sigmoid, N(0, 1/n)", "sigmoid，N(0, 1/n)"),
    "tanh/default": ("tanh, default start", "tanh，默认初始化"),
    "tanh/xavier": ("tanh, Xavier", "tanh，Xavier"),
    "tanh/critical": ("tanh, critical start", "tanh，临界初始化"),
    "relu/default": ("relu, default start: √6", "relu，默认初始化：√6"),
    "relu/he": ("relu, He", "relu，He"),
}
for _name, (_english, _chinese) in _STARTS.items():
    TEXTS[f"finding.{_name}"] = (
        f"growth per layer, single images: {_english}",
        f"每层的增长倍数，单张图像：{_chinese}",
    )
