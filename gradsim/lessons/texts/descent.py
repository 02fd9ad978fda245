"""Texts of the lesson on gradient descent."""

TEXTS = {
    "title": ("Going downhill", "沿梯度下降"),
    "lead": (
        "The gradient points to where the cost grows fastest. Against it the cost falls, if the step is small enough; and "
        "the gradient of a few images is often good enough.",
        "梯度指向代价（即损失函数）增长最快的方向。逆着梯度走，只要步长足够小，代价就会下降；而少数几张图像的梯度往往已经够用。",
    ),
    "body": (
        "<p>Two weights of a real network vary, all others stay as they are: a slice through its cost, which can be drawn ({{ figure.slice }}). "
        "From one point, steps of the same small length are taken in 72 directions. The change of the cost follows the "
        "cosine of the angle to the gradient ({{ figure.directions }}), so the cost falls fastest in the direction against it.</p>"
        "<p>How large may a step be? Near the minimum the cost is a parabola of curvature λ, and a step multiplies the "
        "distance from the minimum by |1 − ηλ| ({{ figure.steps }}). Up to η = 2/λ this is less than 1; beyond, each step leads further away, "
        "though every one of them goes against the gradient.</p>"
        "<p>Then three ways to train the same network, 784-30-10: with the gradient of all 1,000 images, of ten, and of a "
        "single one. Each needs an η of its own: out of 1, 2 and 5, of 0.5, 1 and 2, and of 0.1, 0.2 and 0.5 the value with the "
        "lowest cost at the end is shown. In the same number of epochs, which is the same "
        "number of images seen ({{ figure.epochs }}), small batches get much further, since they make a hundred or a thousand times as many "
        "steps; per step, the whole batch is the better guide, as its longer training shows ({{ figure.updates }}).</p>"
        "<p>Why are small batches good enough? The gradient of m images drawn from n differs from that of all by "
        "√((n − m)/(m (n − 1))) times the spread of single images. So a hundred times as many images reduce the noise only "
        "tenfold. The first layer is the noisiest in proportion to its gradient, as {{ figure.noise_1 }}, {{ figure.noise_3 }} and {{ table.noise }} show.</p>",
        "<p>让一个真实网络的两个权重变化，其余参数保持不变，就得到代价函数的一个截面，可以画出来（{{ figure.slice }}）。从同一点出发，沿 72 个方向各走同样小的一步。代价的变化与步的方向和梯度之间夹角的余弦成正比（{{ figure.directions }}），因此逆着梯度的方向下降最快。</p>"
        "<p>学习率 η 可以取多大？在极小值点附近，代价近似为曲率为 λ 的抛物线，每一步都把到极小值点的距离乘以 |1 − ηλ|（{{ figure.steps }}）。η 小于 2/λ 时，这个倍数小于 1；超过 2/λ，虽然每一步都逆着梯度，却越走越远。</p>"
        "<p>然后用三种方式训练同一个网络 784-30-10：用全部 1,000 张图像的梯度、十张的梯度和一张的梯度。每种方式各有合适的 η：依次从 1、2、5，从 0.5、1、2，从 0.1、0.2、0.5 中选取最终代价最低的一个。训练轮数相同（也就是看过的图像数相同，{{ figure.epochs }}）时，小批量的代价下降得多得多，因为步数多达一百倍甚至一千倍；若按步数比较，则全批量的方向更准，更长时间的训练表明了这一点（{{ figure.updates }}）。</p>"
        "<p>为什么小批量就够了？从 n 张图像中取 m 张，其梯度与全部图像的梯度之差是单张图像离散程度的 √((n − m)/(m (n − 1))) 倍。所以图像增加到一百倍，噪声才降到十分之一。{{ figure.noise_1 }}、{{ figure.noise_3 }} 和{{ table.noise }} 表明，相对于梯度本身的长度，第一层的噪声最大。</p>",
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
    "alt.slice": (
        "A map of nested contours around a minimum in the middle. One path of dots leads from the upper right into the minimum, one from the same point away from it, and a third jumps back and forth across it with growing steps.",
        "一幅等高线图，极小值点在中央。一条点线从右上方走向极小值点，一条从同一点离开，第三条在极小值点两侧来回跳动，每步越来越长。",
    ),
    "alt.directions": (
        "Dots lie on a cosine curve that goes once around 360 degrees; the vertical dashed line of the direction against the gradient goes through its lowest point.",
        "点落在一条余弦曲线上，360 度为一个周期；标出逆梯度方向的竖直虚线穿过它的最低点。",
    ),
    "alt.steps": (
        "Dots lie on a line in the form of a V: from 1 it falls to 0 at ηλ = 1 and rises again, into the shaded region above 1 beyond ηλ = 2.",
        "点落在一条 V 形折线上：从 1 降到 ηλ = 1 处的 0，再上升，过了 ηλ = 2 进入大于 1 的阴影区。",
    ),
    "alt.epochs": (
        "Three falling curves on logarithmic axes. At the same epoch those of batches of ten and of single images lie far below that of whole batches.",
        "对数坐标上三条下降的曲线。轮数相同时，每批十张与单张的曲线远低于全批量的曲线。",
    ),
    "alt.updates": (
        "The same curves moved apart: now that of whole batches is the lowest at the same number of steps, and that of single images ends furthest right.",
        "同样的曲线相互错开：步数相同时，全批量的曲线最低；单张图像的曲线延伸到最右边。",
    ),
    "alt.noise_1": (
        "Two rows of dots on falling lines, for batches of 1, 10 and 100; at each size layer 1 is above layer 2.",
        "每批 1、10、100 张时，两组点都落在下降的线上；每批图像数相同时，第 1 层都高于第 2 层。",
    ),
    "alt.noise_3": (
        "Four rows of dots on falling lines, for batches of 1, 10 and 100; at each size layer 1 is the highest.",
        "每批 1、10、100 张时，四组点都落在下降的线上；每批图像数相同时，第 1 层最高。",
    ),
    "table.noise": (
        "Noise of a batch’s gradient over the length of the gradient, by layer (medians of random networks).",
        "各层梯度的噪声与梯度长度之比（随机网络的中位数）。",
    ),
    "finding.steepest": (
        "angle between the steepest of 72 directions and −gradient",
        "72 个方向中最陡者与负梯度的夹角",
    ),
    "finding.factor": (
        "factor per step near the minimum: largest deviation from |1 − ηλ|",
        "极小值点附近每步的倍数：与 |1 − ηλ| 的最大偏差",
    ),
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
