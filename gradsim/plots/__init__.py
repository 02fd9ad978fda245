"""Pictures of runs and of theory, as journals take them.

Each function draws on the Axes given as ``ax``, else on a new figure, and returns the Axes. `style` sets the size of a
column and text for it; `save` writes PNG, SVG or PDF. The caption of a picture, which `caption` returns, says how many
networks it shows, their seed, how its intervals are made, and what is missing; it is written below the picture, unless
that is on axes of the user: `style` can ask for it. matplotlib is an extra:
``pip install 'gradsim[plot]'``.

A picture is one file here, with a function of its name.
"""

from gradsim.plots.coordinate_check import coordinate_check
from gradsim.plots.depth_scales import depth_scales
from gradsim.plots.growth import growth
from gradsim.plots.layers import layer_profile, layers
from gradsim.plots.phase import phase, phase_diagram
from gradsim.plots.plane import plane
from gradsim.plots.presets import presets
from gradsim.plots.spectrum import spectrum
from gradsim.plots.spread import spread
from gradsim.plots.styles import save, style
from gradsim.plots.trained_coordinates import trained_coordinates
from gradsim.plots.width_convergence import width_convergence
from gradsim.plots.words import caption

__all__ = [
    "caption",
    "coordinate_check",
    "depth_scales",
    "growth",
    "layer_profile",
    "layers",
    "phase",
    "phase_diagram",
    "plane",
    "presets",
    "save",
    "spectrum",
    "spread",
    "style",
    "trained_coordinates",
    "width_convergence",
]
