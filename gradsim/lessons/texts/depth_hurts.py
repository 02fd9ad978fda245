"""Texts of the lesson on depth."""

TEXTS = {
    "title": ("Deeper, and worse", "更深，却更差"),
    "lead": (
        "A network with more hidden layers can compute everything that a shallower one computes. Trained in the same way, "
        "sigmoid networks nevertheless get worse with every layer.",
        "隐藏层更多的网络能计算较浅网络所能计算的一切。可是用同样的方法训练，S 形神经元的网络每加一层就更差一些。",
    ),
    "body": (
        "<p>Networks 784-30-10, 784-30-30-10 and so on are trained in the same way on 1,000 images of handwritten digits, from many "
        "random starts: with the gradient of the whole training set, and with mini-batches of ten images.</p>"
        "<p>Extra layers could simply do nothing. That the error grows with depth therefore says nothing about what deep "
        "networks can represent; it says that gradient descent does not find such networks. The dashed line is the cost of a network "
        "that answers every image with the frequencies of the classes, 10 H(1/10) = 3.2508 nats: the biases of "
        "the output layer can learn this much alone. A deep sigmoid network stays on this line for a long time. Its last layer has "
        "learnt, the layers below have hardly begun.</p>"
        "<p>With tanh the same depth does little harm: its derivative reaches 1, the sigmoid’s only 1/4. The other "
        "lessons show why that matters.</p>",
        "<p>用同样的方法在 1,000 张手写数字图像上训练 784-30-10、784-30-30-10 等网络，每种都从许多随机起点开始："
        "一种用整个训练集的梯度，另一种用每批十张图像的小批量。</p>"
        "<p>多出来的层完全可以什么也不做。因此误差随深度增大，并不说明深度网络的表达能力差，而是说明梯度下降找不到好的"
        "参数。虚线是对每张图像都只回答各类别频率的网络的代价，10 H(1/10) = 3.2508 奈特：仅靠输出层的偏置就能学到这一"
        "步。深的 S 形网络会长时间停在这条线上：最后一层已经学好，下面各层才刚刚开始。</p>"
        "<p>换成 tanh，同样的深度几乎没有坏处：它的导数可以达到 1，而 S 形函数的导数最大只有 1/4。其余各课说明为什么这"
        "一点很重要。</p>",
    ),
    "hidden": ("hidden layers", "隐藏层数"),
    "error": ("wrong answers, %", "错误率，%"),
    "epoch": ("epoch", "训练轮数"),
    "cost": ("cost", "代价"),
    "full": ("whole batches", "全批量"),
    "mini": ("mini-batches of 10", "每批 10 张的小批量"),
    "activation": ("activation", "激活函数"),
    "training": ("training", "训练方式"),
    "figure.error_full": (
        "Wrong answers on the training images after training with whole batches: median and 5–95 % of the random starts.",
        "全批量训练之后训练图像上的错误率：随机起点的中位数与 5–95% 区间。",
    ),
    "figure.error_mini": (
        "The same with mini-batches of ten images.",
        "每批十张图像的小批量训练，同样的量。",
    ),
    "figure.cost_sigmoid": (
        "Cost of sigmoid networks through training; the dashed line is the cost of knowing only the frequencies of the classes.",
        "S 形网络训练过程中的代价；虚线是只知道类别频率时的代价。",
    ),
    "figure.cost_tanh": ("The same for tanh networks.", "tanh 网络的同样的量。"),
    "figure.cost_relu": ("The same for relu networks.", "relu 网络的同样的量。"),
    "table.errors": (
        "Median share of wrong answers at the end of training, in %, by number of hidden layers.",
        "训练结束时错误率的中位数（%），按隐藏层数排列。",
    ),
    "finding.sigmoid.full": (
        "sigmoid, whole batches: error of the deepest over that of one hidden layer",
        "S 形，全批量：最深网络的错误率与单隐藏层之比",
    ),
    "finding.sigmoid.mini": (
        "sigmoid, mini-batches: error of the deepest over that of one hidden layer",
        "S 形，小批量：最深网络的错误率与单隐藏层之比",
    ),
    "finding.tanh.full": (
        "tanh, whole batches: the error of the deepest is no larger than with sigmoid",
        "tanh，全批量：最深网络的错误率不高于 S 形",
    ),
    "finding.tanh.mini": (
        "tanh, mini-batches: the error of the deepest is no larger than with sigmoid",
        "tanh，小批量：最深网络的错误率不高于 S 形",
    ),
    "finding.relu.full": (
        "relu, whole batches: the error of the deepest is no larger than with sigmoid",
        "relu，全批量：最深网络的错误率不高于 S 形",
    ),
    "finding.relu.mini": (
        "relu, mini-batches: the error of the deepest is no larger than with sigmoid",
        "relu，小批量：最深网络的错误率不高于 S 形",
    ),
    "finding.prior": (
        "cost at which the deepest sigmoid network stays, mini-batches",
        "最深的 S 形网络停留的代价，小批量",
    ),
}
