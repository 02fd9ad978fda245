"""Texts of the lesson on the chain of single neurons."""

TEXTS = {
    "title": ("One neuron a layer", "每层一个神经元"),
    "lead": (
        "In the simplest deep network the gradient is a product that can be read term by term. Each layer adds a factor w "
        "σ′(z), and such a factor is nearly always well below 1.",
        "在最简单的深度网络里，梯度是一个可以逐项读出的乘积。每一层贡献一个因子 w σ′(z)，而这个因子几乎总是远小于 1。",
    ),
    "body": (
        "<p>Four neurons in a row: z<sub>l</sub> = w<sub>l</sub> a<sub>l−1</sub> + b<sub>l</sub>, a<sub>l</sub> = σ(z<sub>l"
        "</sub>), C = (a<sub>4</sub> − y)²/2. Change b<sub>1</sub> a little. Then z<sub>1</sub> changes by as much, a<sub>1"
        "</sub> by σ′(z<sub>1</sub>) times that, z<sub>2</sub> by w<sub>2</sub> times that, and so on to the cost. Written "
        "down step by step this is the chain rule,</p>"
        "<p>∂C/∂b<sub>1</sub> = σ′(z<sub>1</sub>) w<sub>2</sub> σ′(z<sub>2</sub>) w<sub>3</sub> σ′(z<sub>3</sub>) w<sub>4"
        "</sub> σ′(z<sub>4</sub>) ∂C/∂a<sub>4</sub>, and ∂C/∂w<sub>l</sub> = a<sub>l−1</sub> ∂C/∂b<sub>l</sub>.</p>"
        "<p>{{ table.derivation }} follows a real change of 10⁻⁴ through the chain; {{ table.gradients }} compares the product with finite "
        "differences and with the compiled back-propagation. All are equal. The last line of "
        "{{ table.derivation }} changes w<sub>1</sub> in place of b<sub>1</sub>: z<sub>1</sub> = w<sub>1</sub> a<sub>0</sub> + b<sub>1</sub> changes by "
        "a<sub>0</sub> Δw<sub>1</sub>, and the rest of the way is the same.</p>"
        "<p>With several neurons a layer there are many ways from a weight to the cost, and each has its own product: "
        "∂C/∂w<sup>1</sup><sub>jk</sub> = Σ a<sup>0</sup><sub>k</sub> σ′(z<sup>1</sup><sub>j</sub>) w<sup>2</sup><sub>mj</sub> σ′(z<sup>2</sup><sub>m</sub>) "
        "w<sup>3</sup><sub>nm</sub> σ′(z<sup>3</sup><sub>n</sub>) w<sup>4</sup><sub>1n</sub> σ′(z<sup>4</sup><sub>1</sub>) ∂C/∂a<sup>4</sup><sub>1</sub>, summed over all "
        "paths j → m → n → 1. {{ table.paths }} lists the nine paths of one weight of a network 2-2-3-3-1; back-propagation "
        "gives their sum without listing them, which no one could do for 30 neurons a layer. Every product still has a factor w σ′(z) for each layer.</p>"
        "<p>How large is a factor? σ′ is at most 1/4, at z = 0 ({{ figure.slope }}). One often reads that |w| < 1 for w from N(0, 1). That "
        "holds for only 68.3 % of the weights; but |w σ′(z)| ≥ 1 needs |w| ≥ 4, which happens once in 16,000 weights, and even then "
        "z has to be near 0: of all factors about one in 200,000 reaches 1 ({{ figure.factors }}).</p><p>So the product falls in every layer, on average by the factor that is computed here from the "
        "distribution of a alone (dashed in {{ figure.decay }}): E ln|w σ′(z)| = ln σ<sub>w</sub> − (γ + ln 2)/2 + E ln σ′(z).</p><p>Larger weights do not help: "
        "|w| grows with σ<sub>w</sub>, but so does |z|, and σ′(z) falls exponentially with |z|. In a chain of single "
        "neurons there is no σ<sub>w</sub> at which the typical gradient survives: {{ figure.typical }} has the typical factor for "
        "every σ<sub>w</sub>, and it is well below 1 even at its maximum.</p>",
        "<p>四个神经元依次相连：z<sub>l</sub> = w<sub>l</sub> a<sub>l−1</sub> + b<sub>l</sub>，a<sub>l</sub> = σ(z<sub>l</sub>)，C = (a<sub>4</sub> − y)²/2 是代价（即损失函数）。让 b<sub>1</sub> 改变一点，z<sub>1</sub> 就改变同样多，a<sub>1</sub> 的改变是它的 σ′(z<sub>1</sub>) 倍，z<sub>2</sub> 的改变又是 a<sub>1</sub> 的改变的 w<sub>2</sub> 倍，如此一直传到代价。一步一步写下来，就是链式法则：</p>"
        "<p>∂C/∂b<sub>1</sub> = σ′(z<sub>1</sub>) w<sub>2</sub> σ′(z<sub>2</sub>) w<sub>3</sub> σ′(z<sub>3</sub>) w<sub>4"
        "</sub> σ′(z<sub>4</sub>) ∂C/∂a<sub>4</sub>，并且 ∂C/∂w<sub>l</sub> = a<sub>l−1</sub> ∂C/∂b<sub>l</sub>。</p>"
        "<p>{{ table.derivation }} 逐步跟踪一个 10⁻⁴ 的实际改变如何传过整条链；{{ table.gradients }} 把乘积与有限差分、反向传播程序的结果相比较，三者相等。{{ table.derivation }} 的最后一行改变的是 w<sub>1</sub> 而不是 b<sub>1</sub>：z<sub>1</sub> = w<sub>1</sub> a<sub>0</sub> + b<sub>1</sub> 改变 a<sub>0</sub> Δw<sub>1</sub>，此后的过程完全相同。</p>"
        "<p>每层有多个神经元时，从一个权重到代价有许多条路径，每条路径有自己的乘积：∂C/∂w<sup>1</sup><sub>jk</sub> = Σ a<sup>0</sup><sub>k</sub> σ′(z<sup>1</sup><sub>j</sub>) w<sup>2</sup><sub>mj</sub> σ′(z<sup>2</sup><sub>m</sub>) w<sup>3</sup><sub>nm</sub> σ′(z<sup>3</sup><sub>n</sub>) w<sup>4</sup><sub>1n</sub> σ′(z<sup>4</sup><sub>1</sub>) ∂C/∂a<sup>4</sup><sub>1</sub>，对所有路径 j → m → n → 1 求和。{{ table.paths }} 列出网络 2-2-3-3-1 中一个权重的九条路径；反向传播无需逐条列出就能得到它们的和，而每层有 30 个神经元时，谁也列不完。每个乘积仍然为每一层含有一个因子 w σ′(z)。</p>"
        "<p>一个因子有多大？σ′ 最大为 1/4，在 z = 0 处（{{ figure.slope }}）。常有人说，w 取自 N(0, 1) 时 |w| < 1。其实只有 68.3% 的权重如此；但 |w σ′(z)| ≥ 1 要求 |w| ≥ 4，每 16,000 个权重才有一个，而且 z 还必须接近 0：在所有因子中，大约每 200,000 个才有一个达到 1（{{ figure.factors }}）。</p><p>所以乘积每过一层都会变小，平均的倍数仅由 a 的分布就能算出（{{ figure.decay }} 中的虚线）：E ln|w σ′(z)| = ln σ<sub>w</sub> − (γ + ln 2)/2 + E ln σ′(z)。</p><p>更大的权重也无济于事：|w| 随 σ<sub>w</sub> 增大，|z| 也随之增大，而 σ′(z) 随 |z| 呈指数衰减。在每层一个神经元的链中，没有哪个 σ<sub>w</sub> 能使典型的梯度不消失：{{ figure.typical }} 画出了不同 σ<sub>w</sub> 下的典型因子，它即使在最大处也远小于 1。</p>",
    ),
    "maximum": ("maximum 1/4 at z = 0", "最大值 1/4，在 z = 0 处"),
    "size": ("size of a factor", "因子的大小"),
    "density": ("density", "概率密度"),
    "factors_count": ("layers", "层数"),
    "product": ("product of |w σ′(z)|", "|w σ′(z)| 的乘积"),
    "sigma": ("$σ_w$ = {value}", "$σ_w$ = {value}"),
    "theory": ("theory", "理论"),
    "spread": ("$σ_w$", "$σ_w$"),
    "typical": ("typical factor of a layer", "每层的典型因子"),
    "quantity": ("quantity", "量"),
    "rule": ("is", "等于"),
    "rule.Δb": ("the change itself", "改变本身"),
    "rule.Δz1": ("the same, as z = w a + b", "与 Δb 相同，因为 z = w a + b"),
    "rule.Δz": ("w × the change of a below", "w × 前一层 a 的改变"),
    "rule.Δa": ("σ′(z) × the change of z", "σ′(z) × z 的改变"),
    "rule.ΔC (Δw1)": ("a₀ × the ΔC above, as Δz1 = a₀ Δw1", "a₀ × 上一行的 ΔC，因为 Δz1 = a₀ Δw1"),
    "path": ("path: neurons of layers 1, 2, 3 and output", "路径：第 1、2、3 层和输出层的神经元"),
    "share": ("product along the path", "沿路径的乘积"),
    "so_far": ("sum so far", "累加"),
    "rule.ΔC": ("(a − y) × the change of a", "(a − y) × a 的改变"),
    "measured": ("measured", "实测"),
    "expected": ("by the rule", "按规则"),
    "over": ("over Δb1 or Δw1", "与 Δb1 或 Δw1 之比"),
    "derivative": ("derivative", "导数"),
    "by_product": ("product of factors", "因子的乘积"),
    "by_difference": ("finite difference", "有限差分"),
    "by_backprop": ("back-propagation", "反向传播"),
    "figure.slope": ("The sigmoid and its derivative.", "sigmoid 函数及其导数。"),
    "figure.factors": (
        "Distribution of |w| for w from N(0, 1), and of the factor |w σ′(z)| with z = w a + b; lines at 1 and at 4.",
        "w 取自 N(0, 1) 时，|w| 的分布以及因子 |w σ′(z)| 的分布，z = w a + b；竖线位于 1 和 4。",
    ),
    "figure.decay": (
        "Product of the factors of random chains, for four sizes of the weights: median and 5–95 %. Dashed: theory, from "
        "layer 10 on.",
        "四种权重大小下，随机链中各因子的乘积：中位数与 5–95% 区间。虚线：第 10 层以后的理论值。",
    ),
    "figure.typical": (
        "Factor by which the gradient typically changes in a layer far from the input, exp E ln|w σ′(z)|, against the size "
        "of the weights; above the dashed line it would grow.",
        "远离输入的一层中梯度变化的典型倍数 exp E ln|w σ′(z)| 与权重大小的关系；虚线以上梯度才会增长。",
    ),
    "alt.slope": (
        "An S-shaped curve that rises from 0 to 1, and below it a bell-shaped one, whose top, 1/4 at z = 0, is marked.",
        "一条从 0 升到 1 的 曲线，其下方是一条钟形曲线，标出了它的顶点：z = 0 处的 1/4。",
    ),
    "alt.factors": (
        "On a logarithmic axis, the filled histogram of |w σ′(z)| drops from 0 steeply and ends near 1; the curve of |w| falls slowly and goes on beyond 4.",
        "纵轴为对数坐标：|w σ′(z)| 的填充直方图从 0 起陡降，在 1 附近终止；|w| 的曲线缓慢下降，延伸到 4 以外。",
    ),
    "alt.decay": (
        "Four nearly straight falling lines on a logarithmic axis, over 30 layers: that of σ_w = 4 ends highest, near 10⁻²⁰, that of σ_w = 10 lowest, near 10⁻³⁸, with the widest band. The dashed lines lie on them.",
        "对数坐标上四条近乎笔直的下降线，共 30 层：σ_w = 4 的终点最高，约 10⁻²⁰，σ_w = 10 的最低，约 10⁻³⁸，区间也最宽。虚线与它们重合。",
    ),
    "alt.typical": (
        "A curve with a maximum of about 0.2 between σ_w = 2 and 4, which falls off on both sides; four measured dots lie on it. All of it is below the dashed line at 1.",
        "一条曲线，在 σ_w = 2 与 4 之间达到约 0.2 的最大值，两侧下降；四个实测点落在其上。整条曲线都在 1 处的虚线以下。",
    ),
    "table.derivation": (
        "A change of b<sub>1</sub> by 10⁻⁴, step by step.",
        "b<sub>1</sub> 改变 10⁻⁴ 之后，各个量依次的变化。",
    ),
    "table.paths": (
        "All paths from the first weight of the first layer to the output, w<sup>1</sup><sub>11</sub>, in a network 2-2-3-3-1; the last sum is the derivative.",
        "网络 2-2-3-3-1 中，从第一层的权重 w<sup>1</sup><sub>11</sub> 到输出的全部路径；最后的和就是导数。",
    ),
    "table.gradients": ("Every derivative in three ways.", "用三种方法求得的全部导数。"),
    "finding.backprop": ("back-propagation over the product, −1", "反向传播与乘积之比，减 1"),
    "finding.difference": ("finite differences over the product, −1 (largest)", "有限差分与乘积之比，减 1（最大值）"),
    "finding.paths": (
        "network 2-2-3-3-1: sum over all paths over back-propagation, −1, all weights of the first layer (largest)",
        "网络 2-2-3-3-1：全部路径之和与反向传播之比，减 1，第一层的全部权重（最大值）",
    ),
    "finding.steps": ("each step of the derivation, relative error at Δb = 10⁻⁴", "推导每一步的相对误差，Δb = 10⁻⁴"),
    "finding.below_1": ("P(|w| < 1) for w from N(0, 1)", "w 取自 N(0, 1) 时的 P(|w| < 1)"),
    "finding.above_4": ("P(|w| ≥ 4)", "P(|w| ≥ 4)"),
    "finding.reached_1": (
        "share of factors with |w σ′(z)| ≥ 1 in random chains, σ<sub>w</sub> = 1",
        "随机链中 |w σ′(z)| ≥ 1 的因子所占比例，σ<sub>w</sub> = 1",
    ),
    "finding.reached_4": (
        "share of factors with |w σ′(z)| ≥ 1 in random chains, σ<sub>w</sub> = 4",
        "随机链中 |w σ′(z)| ≥ 1 的因子所占比例，σ<sub>w</sub> = 4",
    ),
    "finding.rate_1": ("typical factor of a layer, σ<sub>w</sub> = 1", "每层的典型因子，σ<sub>w</sub> = 1"),
    "finding.rate_2": ("typical factor of a layer, σ<sub>w</sub> = 2", "每层的典型因子，σ<sub>w</sub> = 2"),
    "finding.rate_4": ("typical factor of a layer, σ<sub>w</sub> = 4", "每层的典型因子，σ<sub>w</sub> = 4"),
    "finding.rate_10": ("typical factor of a layer, σ<sub>w</sub> = 10", "每层的典型因子，σ<sub>w</sub> = 10"),
}
