"""Random networks after steps of gradient descent, exactly, at any width; and the coordinate check.

`problem` says what is trained, by a row of `parametrisations` and of `costs`; `draws` are its random numbers.
`matrices` may stay lazy. `network` has the parameters of some networks, `observables` what is recorded of a pass,
`result` its statistics; `simulate` runs blocks of networks. The `coordinate_check` fits `exponents` over widths;
`check_result` has its verdicts.
"""

from gradsim.steps.check_result import CoordinateCheck
from gradsim.steps.coordinate_check import coordinate_check
from gradsim.steps.result import TrainingSteps
from gradsim.steps.simulate import simulate_training

__all__ = ["CoordinateCheck", "TrainingSteps", "coordinate_check", "simulate_training"]
