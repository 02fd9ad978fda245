"""Texts that every page has, around those of its lesson."""

FRAME = {
    "finding": ("Predicted and measured", "预测与实测"),
    "subject": ("Quantity", "考察的量"),
    "predicted": ("Predicted", "预测"),
    "measured": ("Measured", "实测"),
    "holds": ("Agrees", "相符"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "files": ("Numbers", "数据文件"),
    "again": ("Run it again", "重新运行"),
    "quick": (
        "Quick form: fewer networks and epochs than in the full form, so the bands are wider.",
        "快速版：网络数与训练轮数比完整版少，因此区间较宽。",
    ),
    "lessons": ("Why deep networks are hard to train", "深度网络为何难以训练"),
}
