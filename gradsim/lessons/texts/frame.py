"""Texts that every page has, around those of its lesson."""

FRAME = {
    "finding": ("Predicted and measured", "预测与实测"),
    "subject": ("What", "内容"),
    "predicted": ("Predicted", "预测"),
    "measured": ("Measured", "实测"),
    "holds": ("Agrees", "相符"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "files": ("Numbers", "数据"),
    "again": ("The same again", "重新运行"),
    "quick": (
        "Quick form: fewer networks and epochs than the lesson itself, so bands are wide.",
        "快速版：网络与训练轮数比正式版少，因此区间较宽。",
    ),
    "lessons": ("Why deep networks are hard to train: ten lessons", "深度网络为何难以训练：十课"),
}
