"""The interactive report of a run: one HTML file with its diagrams, tables and data, which opens offline."""

from gradsim.report.interactive.facts import MOST_CELLS, Facts, embedded_cells
from gradsim.report.interactive.page import check_extra, page_of

__all__ = ["MOST_CELLS", "Facts", "check_extra", "embedded_cells", "page_of"]
