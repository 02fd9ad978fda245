"""Which weights to set: by theory and simulation, beside the usual presets, with code for three frameworks."""

from gradsim.recommendation.branches import BranchRecommendation
from gradsim.recommendation.recommend import recommend
from gradsim.recommendation.result import Recommendation

__all__ = ["BranchRecommendation", "Recommendation", "recommend"]
