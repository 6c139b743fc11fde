"""Equations as MathML, which browsers show without a script from the network."""

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml


def visit_inline(self, node):
    """Write an equation in a line of text."""
    self.body.append(tex2mathml(node.astext()))
    raise SkipNode


def visit_block(self, node):
    """Write an equation of its own."""
    self.body.append(f'<div class="equation">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
