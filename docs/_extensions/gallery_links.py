"""The gallery beside the pages: the order of its examples, and links from the pages to them.

Pages link to the source of an example, which a code host shows; here the links go to the page that
the example has become, with its pictures.
"""

import re
from pathlib import Path

# The order of the paper's sections; what is not named comes last.
ORDER = [
    "plot_priors_beside_vae.py",
    "plot_relatives.py",
    "plot_posteriors.py",
    "plot_uniform_prior.py",
    "plot_swiss_roll_with_labels.py",
    "plot_style_and_content.py",
    "plot_semi_supervised.py",
    "plot_clustering.py",
    "plot_embedding.py",
    "plot_own_prior.py",
    "plot_own_network.py",
    "plot_outliers.py",
    "plot_diagnosis.py",
]


def by_section(path):
    """Return the place of a file in `ORDER`: sphinx-gallery's sort key."""
    name = Path(path).name
    return ORDER.index(name) if name in ORDER else len(ORDER)


def to_pages(app, docname, source):
    """Turn links to sources of examples into links to their pages."""
    text = source[0].replace("(examples/GALLERY_HEADER.rst)", "(auto_examples/index.rst)")
    source[0] = re.sub(
        r"\]\(((?:\.\./)*)examples/(plot_\w+)\.py\)", r"](\1auto_examples/\2.rst)", text
    )


def setup(app):
    app.connect("source-read", to_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
