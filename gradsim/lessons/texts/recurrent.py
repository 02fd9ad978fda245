"""Texts of the lesson on recurrent networks."""

TEXTS = {
    "title": ("The same product, through time", "同一个乘积，沿时间展开"),
    "lead": (
        "A recurrent network is a deep network with the same matrix in every layer. Its gradients vanish or explode with "
        "the distance in time, and with them what it can learn to remember.",
        "循环神经网络就是每一层都用同一个矩阵的深度网络。它的梯度随时间距离消失或爆炸；它能学会记住多久以前的内容，也取决于此。",
    ),
    "body": (
        "<p>The network reads a symbol in each step, x<sub>t</sub> = φ(W x<sub>t−1</sub> + U s<sub>t</sub> + b), and answers "
        "after the last. Going back in time the error is multiplied by the same matrix again and again: δ<sub>t−1</sub> = "
        "φ′(h<sub>t−1</sub>) · W<sup>T</sup> δ<sub>t</sub>. So its length k steps back is at most (γ σ<sub>max</sub>)<sup>k"
        "</sup> times its length at the end, where γ is the largest |φ′| and σ<sub>max</sub> the largest singular value of W "
        "(Pascanu, Mikolov and Bengio, arXiv:1211.5063). This holds for every sequence, not only on average, and it is "
        "checked here for all of them.</p>"
        "<p>What happens in the long run is decided by the spectral radius ρ of W. With linear neurons ({{ figure.gradient_linear }}) the gradient grows "
        "or shrinks by just this factor in each step; an orthogonal matrix keeps its length exactly. A sigmoid’s ({{ figure.gradient_sigmoid }}) γ is only "
        "1/4: its gradients vanish even at ρ = 2. With tanh ({{ figure.gradient_tanh }}) a large ρ drives the neurons into saturation, where φ′ is small, "
        "and cancels much of the growth; with relu ({{ figure.gradient_relu }}) dead neurons have the same effect.</p>"
        "<p>The task below needs a long memory: say at the end which of four symbols the sequence began with; the rest are "
        "distractors. Every network is trained by back-propagation through time on fresh sequences, with momentum and "
        "clipping. At short distances all learn it ({{ figure.memory }}). At long distances those whose gradient has vanished at the start stay "
        "at chance: {{ figure.because }} puts all networks and all distances on one axis, the gradient that reaches the first "
        "symbol, and this axis decides.</p>",
        "<p>网络每一步读入一个符号，x<sub>t</sub> = φ(W x<sub>t−1</sub> + U s<sub>t</sub> + b)，读完最后一个之后作答。沿时间往回传，误差 δ 一次又一次地乘以同一个矩阵：δ<sub>t−1</sub> = φ′(h<sub>t−1</sub>) · W<sup>T</sup> δ<sub>t</sub>。因此往回 k 步，它的长度至多是末端长度的 (γ σ<sub>max</sub>)<sup>k</sup> 倍，其中 γ 是 |φ′| 的最大值，σ<sub>max</sub> 是 W 的最大奇异值（Pascanu、Mikolov 与 Bengio，arXiv:1211.5063）。这对每一个序列都成立，而不只是在平均意义上成立；这里对所有序列都做了检验。</p>"
        "<p>长期的行为由 W 的谱半径 ρ 决定。线性神经元（{{ figure.gradient_linear }}）的梯度每一步恰好按这个倍数增大或缩小；正交矩阵则精确地保持长度不变。sigmoid（{{ figure.gradient_sigmoid }}）的 γ 只有 1/4：即使 ρ = 2，梯度也会消失。对于 tanh（{{ figure.gradient_tanh }}），大的 ρ 会把神经元推入饱和区，那里 φ′ 很小，从而抵消了大部分增长；对于 relu（{{ figure.gradient_relu }}），死亡的神经元有同样的作用。</p>"
        "<p>下面的任务需要长期记忆：在末尾回答序列的第一个符号是四个符号中的哪一个，其余都是干扰符号。每个网络都用随时间反向传播（BPTT）在不断生成的新序列上训练，并使用动量和梯度裁剪。距离短时，所有网络都能学会（{{ figure.memory }}）。距离长时，训练前梯度就已消失的网络停留在随机猜测的水平：{{ figure.because }} 把所有网络、所有距离放在同一条横轴上，即传到第一个符号的梯度；成败就由它决定。</p>",
    ),
    "orthogonal": ("orthogonal", "正交"),
    "distance": ("steps back in time", "往回的时间步数"),
    "ratio": ("|δ| over |δ| at the end", "|δ| 与末端 |δ| 之比"),
    "length": ("distance of the symbol to remember", "需要记住的符号的距离"),
    "error": ("wrong answers, %", "错误率（%）"),
    "chance": ("chance", "随机猜测"),
    "start": ("|δ| at the first symbol over the last, before training", "训练前第一个符号处的 |δ| 与末端之比"),
    "figure.gradient_linear": (
        "Length of the error against the distance in time, linear neurons: median and 5–95 % of random networks, for "
        "spectral radii ρ and an orthogonal matrix.",
        "误差 δ 的长度与时间距离的关系，线性神经元：谱半径 ρ 不同的矩阵以及正交矩阵，随机网络的中位数与 5–95% 区间。",
    ),
    "figure.gradient_relu": ("The same for relu neurons.", "同上，relu 神经元。"),
    "figure.gradient_tanh": ("The same for tanh neurons.", "同上，tanh 神经元。"),
    "figure.gradient_sigmoid": ("The same for sigmoid neurons.", "同上，sigmoid 神经元。"),
    "figure.memory": (
        "Wrong answers after training against the distance of the symbol to remember.",
        "训练后的错误率与需要记住的符号的距离之间的关系。",
    ),
    "figure.because": (
        "The same errors against the gradient that reached the first symbol before training; a point is a network.",
        "同样的错误率，横轴改为训练前传到第一个符号的梯度；每个点代表一个网络。",
    ),
    "alt.gradient_linear": (
        "Six straight lines on a logarithmic axis, fanning out from 1: those of ρ = 2 and 1.2 rise, that of the orthogonal matrix is level, that of ρ = 1 nearly so, those of 0.8 and 0.5 fall.",
        "对数坐标上从 1 出发的六条直线：ρ = 2 和 1.2 的上升，正交矩阵的水平，ρ = 1 的接近水平，0.8 和 0.5 的下降。",
    ),
    "alt.gradient_relu": (
        "The same fan, turned downwards: every line is lower than with linear neurons, and only that of ρ = 2 rises.",
        "同样的扇形，整体向下：每条线都低于线性神经元的，只有 ρ = 2 的上升。",
    ),
    "alt.gradient_tanh": (
        "The same fan, turned downwards: that of ρ = 2 is nearly level, all others fall, that of ρ = 0.5 by far the fastest.",
        "同样的扇形，整体向下：ρ = 2 的近乎水平，其余都下降，ρ = 0.5 的降得最快。",
    ),
    "alt.gradient_sigmoid": (
        "All lines fall steeply, that of ρ = 2 too; the others leave the picture at the bottom, at 10⁻³⁰, within the 60 steps.",
        "所有直线都陡降，ρ = 2 的也不例外；其余的在 60 步之内就降到图的下沿 10⁻³⁰ 以下。",
    ),
    "alt.memory": (
        "Wrong answers against distance. The curve of the sigmoid rises from 0 to the dashed line of chance, 75 %, at short distances; those of tanh stay near 0 for longer, that of ρ = 0.5 the least long.",
        "错误率随距离的变化。sigmoid 的曲线在短距离上就从 0 升到 75% 处的随机猜测虚线；tanh 的各条曲线在 0 附近停留得更久，其中 ρ = 0.5 的最先上升。",
    ),
    "alt.because": (
        "Dots near the line of chance at 75 % are mostly on the left, at tiny gradients; those near 0 are mostly on the right, at gradients closer to 1.",
        "靠近 75% 随机猜测线的点大多在左边，梯度极小；靠近 0 的点大多在右边，梯度更接近 1。",
    ),
    "finding.bound": (
        "largest length over the bound of Pascanu et al., all sequences, all distances",
        "δ 的长度与 Pascanu 等人的上界之比的最大值，所有序列、所有距离",
    ),
    "finding.orthogonal": (
        "linear neurons, orthogonal W: largest relative change of the length",
        "线性神经元，正交 W：长度的最大相对变化",
    ),
    "finding.radius_0.5": ("linear neurons, ρ = 0.5: factor per step", "线性神经元，ρ = 0.5：每步的倍数"),
    "finding.radius_2.0": ("linear neurons, ρ = 2: factor per step", "线性神经元，ρ = 2：每步的倍数"),
    "finding.sigmoid": ("sigmoid, ρ = 2: largest factor per step", "sigmoid，ρ = 2：每步倍数的最大值"),
    "finding.near": ("sigmoid: error at the shortest distance", "sigmoid：最短距离上的错误率"),
    "finding.far": ("sigmoid: error at the longest distance (chance)", "sigmoid：最长距离上的错误率（随机猜测）"),
    "finding.because": (
        "gradient at the first symbol: networks that fail over those that succeed (medians)",
        "第一个符号处的梯度：失败的网络与成功的网络之比（中位数）",
    ),
}
