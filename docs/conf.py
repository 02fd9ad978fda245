"""Settings of Sphinx for the documentation site; `docs/build.py` runs it."""

from __future__ import annotations

import re
from typing import Any

from gradsim.version import __version__

project, author, copyright = "gradsim", "The gradsim developers", "The gradsim developers"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "sphinx_gallery.gen_gallery"]
html_theme = "furo"
html_title = f"gradsim {__version__}"
html_static_path: list[str] = []
html_show_sourcelink = False
smartquotes = False  # commands are copied from here

myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # those come from elsewhere, too

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"plot_",
    "min_reported_time": 1,
    "abort_on_example_error": True,
    "show_signature": False,
    "write_computation_times": False,  # its page loads scripts from elsewhere
}

autodoc_typehints = "none"  # the docstrings say types and shapes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc lists them
exclude_patterns = ["gallery", "auto_gallery/*.ipynb", "auto_gallery/*.py"]


def _keep_bars(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Escape the bars of norms, which reStructuredText takes for substitutions; code keeps them."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``.*?``)", line)
            lines[i] = "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def setup(app: Any) -> None:
    """Connect what is ours."""
    app.connect("autodoc-process-docstring", _keep_bars, priority=100)
