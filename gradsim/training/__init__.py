"""Training of many replicas of a fully connected network, for the lessons."""

from gradsim.training.recipes import Data, Recipe
from gradsim.training.starts import STARTS
from gradsim.training.train import Trained, draw_starts, train, trainer_for

__all__ = ["STARTS", "Data", "Recipe", "Trained", "draw_starts", "train", "trainer_for"]
