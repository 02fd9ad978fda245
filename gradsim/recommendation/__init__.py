"""Which sigma_w to set: by theory and simulation, beside the usual presets, with code for three frameworks."""

from gradsim.recommendation.recommend import recommend
from gradsim.recommendation.result import Recommendation

__all__ = ["Recommendation", "recommend"]
