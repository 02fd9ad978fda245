"""Analysis: from the merged sums and histograms of a dataset to layers, cells and phase boundaries.

Pure functions from frames to frames; nothing here touches the disk.
"""

from gradsim.phase.boundaries import boundary
from gradsim.phase.crossings import Crossing, find_crossing
from gradsim.phase.histograms import layers_frame
from gradsim.phase.summaries import summary

__all__ = ["Crossing", "boundary", "find_crossing", "layers_frame", "summary"]
