"""Random networks after steps of gradient descent, exactly, at any width; and the coordinate check."""

from gradsim.steps.result import TrainingSteps
from gradsim.steps.simulate import simulate_training

__all__ = ["TrainingSteps", "simulate_training"]
