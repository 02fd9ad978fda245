"""Texts of the lesson on depth."""

TEXTS = {
    "title": ("Deeper, and worse", "更深，却更差"),
    "lead": (
        "A network with more hidden layers can compute everything that a shallower one computes. Trained in the same way, "
        "sigmoid networks nevertheless get worse with every layer.",
        "较浅的网络能表示的函数，隐藏层更多的网络也都能表示。可是用同样的方法训练时，sigmoid 网络每多一层，结果就更差一些。",
    ),
    "body": (
        "<p>Networks 784-30-10, 784-30-30-10 and so on are trained in the same way on 1,000 images of handwritten digits, from many "
        "random starts: with the gradient of the whole training set ({{ figure.error_full }}), and with mini-batches of ten images ({{ figure.error_mini }}). "
        "{{ table.errors }} has the medians.</p>"
        "<p>Extra layers could simply do nothing. That the error grows with depth therefore says nothing about what deep "
        "networks can represent; it says that gradient descent does not find such networks. The dashed line in {{ figure.cost_sigmoid }} is the cost of a network "
        "that answers every image with the frequencies of the classes, 10 H(1/10) = 3.2508 nats: the biases of "
        "the output layer can learn this much alone. A deep sigmoid network stays on this line for a long time. Its last layer has "
        "learnt, the layers below have hardly begun.</p>"
        "<p>{% if quick %}With tanh and relu, which the full form trains too,{% else %}With tanh ({{ figure.cost_tanh }}) and relu ({{ figure.cost_relu }}){% endif %} the same depth does little harm: their derivative reaches 1, the sigmoid’s only 1/4. The other "
        "lessons show why that matters.</p>",
        "<p>在 1,000 张手写数字图像上，用同样的方法训练 784-30-10、784-30-30-10 等网络，每个网络都从许多随机起点开始训练；训练方式有两种：用整个训练集的梯度（{{ figure.error_full }}），或用每批十张图像的小批量（{{ figure.error_mini }}）。{{ table.errors }} 列出了中位数。</p>"
        "<p>多出来的层完全可以什么也不做。因此，错误率随深度上升并不说明深度网络的表达能力差，而是说明梯度下降找不到那样的网络。{{ figure.cost_sigmoid }} 中的虚线是对每张图像都只回答各类别频率的网络的代价（即损失函数），10 H(1/10) = 3.2508 奈特，其中 H 是二元熵：仅靠输出层的偏置就能做到这一步。深的 sigmoid 网络会长时间停留在这条线上：最后一层已经学好，前面各层才刚刚开始学。</p>"
        "<p>换成 tanh {% if quick %}或 relu（完整版也训练它们）{% else %}（{{ figure.cost_tanh }}）或 relu（{{ figure.cost_relu }}）{% endif %}，同样的深度几乎没有坏处：它们的导数最大为 1，而 sigmoid 函数的导数最大只有 1/4。其余各课将说明这一点为什么重要。</p>",
    ),
    "hidden": ("hidden layers", "隐藏层数"),
    "error": ("wrong answers, %", "错误率（%）"),
    "epoch": ("epoch", "训练轮数"),
    "cost": ("cost", "代价"),
    "full": ("whole batches", "全批量"),
    "mini": ("mini-batches of 10", "每批 10 张的小批量"),
    "activation": ("activation", "激活函数"),
    "training": ("training", "训练方式"),
    "figure.error_full": (
        "Wrong answers on the training images after training with whole batches: median and 5–95 % of the random starts.",
        "全批量训练之后在训练图像上的错误率：各随机起点的中位数与 5–95% 区间。",
    ),
    "figure.error_mini": (
        "The same with mini-batches of ten images.",
        "同上，改用每批十张图像的小批量训练。",
    ),
    "figure.cost_sigmoid": (
        "Cost of sigmoid networks through training; the dashed line is the cost of knowing only the frequencies of the classes.",
        "sigmoid 网络训练过程中的代价；虚线是只知道类别频率时的代价。",
    ),
    "figure.cost_tanh": ("The same for tanh networks.", "同上，tanh 网络。"),
    "figure.cost_relu": ("The same for relu networks.", "同上，relu 网络。"),
    "alt.error_full": (
        "Wrong answers against the number of hidden layers. The curve of the sigmoid rises steeply with depth{% if not quick %}; those of tanh and relu stay far below it{% endif %}.",
        "错误率随隐藏层数的变化。sigmoid 的曲线随深度陡升{% if not quick %}；tanh 与 relu 的曲线远低于它{% endif %}。",
    ),
    "alt.error_mini": (
        "The same axes. The sigmoid is near 0 with one and two hidden layers and close to 90 % in the deepest networks{% if not quick %}; tanh and relu stay low at every depth{% endif %}.",
        "坐标同上。sigmoid 在一、两个隐藏层时接近 0，在最深的网络中接近 90%{% if not quick %}；tanh 与 relu 在各种深度下都很低{% endif %}。",
    ),
    "alt.cost_sigmoid": (
        "Two panels, whole batches above and mini-batches below, with a curve of the cost for each number of hidden layers and a dashed line at 3.25. All curves fall to the line at once; the deeper the network, the longer its curve stays there, and the deepest does not leave it.",
        "上下两个坐标图，上为全批量，下为小批量，每个隐藏层数一条代价曲线；3.25 处有一条虚线。所有曲线都立即降到虚线；网络越深，曲线停留得越久，最深的网络没有离开它。",
    ),
    "alt.cost_tanh": (
        "Two panels, whole batches above and mini-batches below, with a curve of the cost for each number of hidden layers and a dashed line at 3.25. With mini-batches the curves of all depths fall far below the line, close to one another.",
        "上下两个坐标图，上为全批量，下为小批量，每个隐藏层数一条代价曲线；3.25 处有一条虚线。小批量训练时，各种深度的曲线都远降到虚线以下，彼此接近。",
    ),
    "alt.cost_relu": (
        "Two panels, whole batches above and mini-batches below, with a curve of the cost for each number of hidden layers and a dashed line at 3.25. With mini-batches the curves of all depths fall far below the line.",
        "上下两个坐标图，上为全批量，下为小批量，每个隐藏层数一条代价曲线；3.25 处有一条虚线。小批量训练时，各种深度的曲线都远降到虚线以下。",
    ),
    "table.errors": (
        "Median share of wrong answers at the end of training, in %, by number of hidden layers.",
        "训练结束时错误率的中位数（%），按隐藏层数排列。",
    ),
    "finding.sigmoid.full": (
        "sigmoid, whole batches: error with one hidden layer → error of the deepest",
        "sigmoid，全批量：单隐藏层网络的错误率 → 最深网络的错误率",
    ),
    "finding.sigmoid.mini": (
        "sigmoid, mini-batches: error with one hidden layer → error of the deepest",
        "sigmoid，小批量：单隐藏层网络的错误率 → 最深网络的错误率",
    ),
    "finding.tanh.full": (
        "tanh, whole batches: the error of the deepest is no larger than with sigmoid",
        "tanh，全批量：最深网络的错误率不高于 sigmoid",
    ),
    "finding.tanh.mini": (
        "tanh, mini-batches: the error of the deepest is no larger than with sigmoid",
        "tanh，小批量：最深网络的错误率不高于 sigmoid",
    ),
    "finding.relu.full": (
        "relu, whole batches: the error of the deepest is no larger than with sigmoid",
        "relu，全批量：最深网络的错误率不高于 sigmoid",
    ),
    "finding.relu.mini": (
        "relu, mini-batches: the error of the deepest is no larger than with sigmoid",
        "relu，小批量：最深网络的错误率不高于 sigmoid",
    ),
    "finding.prior": (
        "cost at which the deepest sigmoid network stays, mini-batches",
        "最深的 sigmoid 网络所停留的代价，小批量",
    ),
}
