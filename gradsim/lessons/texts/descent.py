"""Texts of the lesson on gradient descent."""

TEXTS = {
    "title": ("Going downhill", "沿梯度下降"),
    "lead": (
        "The gradient points to where the cost grows fastest. Against it the cost falls, if the step is small enough; and "
        "the gradient of a few images is often good enough.",
        "梯度指向代价（即损失函数）增长最快的方向。逆着梯度走，只要步长足够小，代价就会下降；而少数几张图像的梯度往往已经够用。",
    ),
    "body": (
        "<p>Two weights of a real network vary, all others stay as they are: a slice through its cost, which can be drawn. "
        "From one point, steps of the same small length are taken in 72 directions. The change of the cost follows the "
        "cosine of the angle to the gradient, so the cost falls fastest in the direction against it.</p>"
        "<p>How large may a step be? Near the minimum the cost is a parabola of curvature λ, and a step multiplies the "
        "distance from the minimum by |1 − ηλ|. Up to η = 2/λ this is less than 1; beyond, each step leads further away, "
        "though every one of them goes against the gradient.</p>"
        "<p>Then three ways to train the same network, 784-30-10: with the gradient of all 1,000 images, of ten, and of a "
        "single one. Each needs an η of its own: out of 1, 2 and 5, of 0.5, 1 and 2, and of 0.1, 0.2 and 0.5 the value with the "
        "lowest cost at the end is shown. In the same number of epochs, which is the same "
        "number of images seen, small batches get much further, since they make a hundred or a thousand times as many "
        "steps; per step, the whole batch is the better guide, as its longer training shows.</p>"
        "<p>Why are small batches good enough? The gradient of m images drawn from n differs from that of all by "
        "√((n − m)/(m (n − 1))) times the spread of single images. So a hundred times as many images reduce the noise only "
        "tenfold. The first layer is the noisiest in proportion to its gradient, as the last two pictures show.</p>",
        "<p>让一个真实网络的两个权重变化，其余参数保持不变，就得到代价函数的一个截面，可以画出来。从同一点出发，沿 72 个方向各走同样小的一步。代价的变化与步的方向和梯度之间夹角的余弦成正比，因此逆着梯度的方向下降最快。</p>"
        "<p>学习率 η 可以取多大？在极小值点附近，代价近似为曲率为 λ 的抛物线，每一步都把到极小值点的距离乘以 |1 − ηλ|。η 小于 2/λ 时，这个倍数小于 1；超过 2/λ，虽然每一步都逆着梯度，却越走越远。</p>"
        "<p>然后用三种方式训练同一个网络 784-30-10：用全部 1,000 张图像的梯度、十张的梯度和一张的梯度。每种方式各有合适的 η：依次从 1、2、5，从 0.5、1、2，从 0.1、0.2、0.5 中选取最终代价最低的一个。训练轮数相同（也就是看过的图像数相同）时，小批量的代价下降得多得多，因为步数多达一百倍甚至一千倍；若按步数比较，则全批量的方向更准，更长时间的训练表明了这一点。</p>"
        "<p>为什么小批量就够了？从 n 张图像中取 m 张，其梯度与全部图像的梯度之差是单张图像离散程度的 √((n − m)/(m (n − 1))) 倍。所以图像增加到一百倍，噪声才降到十分之一。最后两幅图表明，相对于梯度本身的长度，第一层的噪声最大。</p>",
    ),
    "first": ("first weight", "第一个权重"),
    "second": ("second weight", "第二个权重"),
    "descent": ("descent", "下降"),
    "ascent": ("ascent", "上升"),
    "divergence": ("step too large", "步长过大"),
    "angle": ("direction of the step, degrees", "步的方向（度）"),
    "change": ("change of cost per length", "代价的变化 / 步的长度"),
    "cosine": ("|gradient| × cosine", "|梯度| × 余弦"),
    "against": ("against the gradient", "逆梯度方向"),
    "measured": ("measured", "实测"),
    "step": ("step ηλ", "ηλ"),
    "factor": ("factor per step", "每步的倍数"),
    "diverging": ("diverging", "发散"),
    "epoch": ("epochs = images seen / 1,000", "训练轮数 = 看过的图像数 / 1,000"),
    "updates": ("steps of descent", "梯度下降的步数"),
    "cost": ("cost", "代价"),
    "batch": ("batches of {size}, η = {eta}", "每批 {size} 张，η = {eta}"),
    "size": ("images in a batch", "每批图像数"),
    "batch_size": ("batches of {size}", "每批 {size} 张"),
    "noise": ("noise / length of gradient", "噪声 / 梯度长度"),
    "layer": ("layer {number}", "第 {number} 层"),
    "which": ("layer", "层"),
    "layers": ("hidden layers", "隐藏层数"),
    "hidden": ("hidden layers: {count}", "隐藏层数：{count}"),
    "figure.slice": (
        "Cost over two weights (dark is high), with paths of descent and of ascent from one point, and a path whose steps "
        "are 3/λ, from close to the minimum.",
        "代价随两个权重的变化（深色为高），从同一点出发的下降路径与上升路径，以及从极小值点附近出发、η = 3/λ 的路径。",
    ),
    "figure.directions": (
        "Change of the cost for steps of the same small length in 72 directions.",
        "沿 72 个方向各走同样小的一步，代价的变化。",
    ),
    "figure.steps": (
        "Factor by which a step changes the distance from the minimum, against the step in units of 1/λ.",
        "走一步后，到极小值点的距离变为原来的多少倍；横轴为以 1/λ 为单位的学习率 η。",
    ),
    "figure.epochs": (
        "Cost against epochs, which count the images seen: median and 5–95 % of the random starts.",
        "代价与训练轮数（即看过的图像数）的关系：各随机起点的中位数与 5–95% 区间。",
    ),
    "figure.updates": ("The same against the number of steps.", "同上，横轴改为步数。"),
    "figure.noise_1": (
        "Distance of a batch’s gradient from that of all images, over its length, in the network that was trained, at random "
        "starts; lines are predicted from single images.",
        "在上面训练的网络中，随机起点处一批图像的梯度与全部图像的梯度之差的长度，除以梯度的长度；线为由单张图像得出的预测。",
    ),
    "figure.noise_3": ("The same in a deeper network, 784-30-30-30-10.", "同上，更深的网络 784-30-30-30-10。"),
    "table.noise": (
        "Noise of a batch’s gradient over the length of the gradient, by layer (medians of random networks).",
        "各层梯度的噪声与梯度长度之比（随机网络的中位数）。",
    ),
    "finding.steepest": (
        "angle between the steepest of 72 directions and −gradient",
        "72 个方向中最陡者与负梯度的夹角",
    ),
    "finding.factor": ("factor per step near the minimum, largest deviation", "极小值点附近每步的倍数：最大偏差"),
    "finding.diverges": (
        "ηλ beyond which steps lead away from the minimum",
        "ηλ 的界限：超过它，每一步都更远离极小值点",
    ),
    "finding.noise": ("noise of batches of 10 and 100 over the prediction", "每批 10 张与 100 张的噪声与预测之比"),
    "finding.epochs": (
        "cost after as many images seen: whole batches over batches of ten",
        "看过同样多的图像之后，全批量与每批十张的代价之比",
    ),
    "finding.steps": (
        "cost after as many steps: whole batches over batches of ten",
        "走过同样多的步数之后，全批量与每批十张的代价之比",
    ),
}
