"""Analysis: from the merged sums and histograms of a dataset to layers, cells and phase boundaries.

Pure functions from frames to frames; nothing here touches the disk.
"""

from gradsim.analysis.boundaries import boundary
from gradsim.analysis.crossings import Crossing, find_crossing
from gradsim.analysis.growth import growth
from gradsim.analysis.histograms import BIN_WIDTH, layers_frame
from gradsim.analysis.kinds import KINDS, find_kinds
from gradsim.analysis.scaling import collapse, infinite_width, slopes, spread_per_depth
from gradsim.analysis.summaries import summary

__all__ = [
    "BIN_WIDTH",
    "KINDS",
    "Crossing",
    "boundary",
    "collapse",
    "find_crossing",
    "find_kinds",
    "growth",
    "infinite_width",
    "layers_frame",
    "slopes",
    "spread_per_depth",
    "summary",
]
