"""Settings of the documentation site: ``make docs`` builds it into output/docs."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

project = "southwell"
author = "the southwell developers"
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
html_theme = "pydata_sphinx_theme"
html_title = "southwell"
exclude_patterns = ["results/*"]

# scikit-learn's generated methods point into scikit-learn's own site
ROUTING = "get_metadata_routing set_fit_request set_score_request set_predict_request".split()
autodoc_default_options = {"exclude-members": ", ".join(ROUTING)}


def escape_markup(app, what, name, obj, options, lines):
    """Let ``|b|`` (the size of a block) and a name with a final underscore be plain text."""
    for k, line in enumerate(lines):
        line = re.sub(r"(?<![`\w|])\|(\w+)\|(?![`\w])", r"\|\1\|", line)
        lines[k] = re.sub(r"(?<![`\w])(\w+)_(?=,\))", r"\1\\_", line)


def setup(app):
    """Register the hook, after numpydoc's own."""
    app.connect("autodoc-process-docstring", escape_markup, priority=900)
