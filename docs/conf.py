"""Settings of the documentation's build; `make docs` runs it."""

import os
import sys
from pathlib import Path

import skaae

# Before torch is imported: its threads sleep while they wait, so that programs can share cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "skaae"
author = "the skaae developers"
version = release = skaae.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "breaks",
    "gallery_links",
    "mathml",
]
# examples/ is read through its rendered copy in auto_examples/
exclude_patterns = ["_build", "examples", "sg_execution_times.rst"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # `fit` in a docstring becomes a link where it can
autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"
templates_path = ["_templates"]

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"demo_",
    "within_subsection_order": "gallery_links.by_section",
    "minigallery_sort_order": "gallery_links.by_section",
    "backreferences_dir": "api/generated",
    "doc_module": ("skaae",),
    "reference_url": {"skaae": None},
    "image_srcset": ["2x"],
    "capture_repr": (),
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "skaae"
html_static_path = ["_static"]
html_css_files = ["skaae.css"]
html_show_sourcelink = False
html_copy_source = False
# pages of the top level have nothing beside them to go to
html_sidebars = {"*": []}
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "light"}
