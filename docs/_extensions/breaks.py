"""Shorter lines: places to break long names in code and titles, and lists of modules."""

import re
import textwrap

CODE = re.compile(r"<code\b.*?</code>", re.S)
WORD = re.compile(r'(?<=<span class="pre">)[^<]+')
TITLE = re.compile(r"(?<=<h1>)\w+")
# after underscores and dots in a name (but not before "py"), before words in brackets and after an
# equals sign, after a slash, before a capital letter
PLACE = re.compile(
    r"(?<=[A-Za-z\d][_.])(?=[A-Za-z])(?!py\b)|(?<=__)(?=[a-z])|(?<=\w[(=/])(?=\w{3}|&)|(?<=[a-z])(?=[A-Z])"
)


def breakable(match):
    """Return the matched name with its places to break."""
    return PLACE.sub("<wbr>", match.group())


def add_breaks(app, pagename, templatename, context, doctree):
    """Mark the places to break in code among words, and in titles that are a name."""
    body = context.get("body")
    if body:
        body = CODE.sub(lambda code: WORD.sub(breakable, code.group()), body)
        context["body"] = TITLE.sub(breakable, body)


def wrap_modules(app, docname, source):
    """Wrap the lists of modules in the drawing of the architecture; its source has long lines."""
    if docname == "architecture":
        head, drawing, tail = re.split(
            r"(?<=<!-- rooms -->)(.*?)(?=<!-- end -->)", source[0], flags=re.S
        )
        lines = [
            textwrap.fill(line, 100, subsequent_indent=" " * 19, break_on_hyphens=False)
            for line in drawing.splitlines()
        ]
        source[0] = "\n".join([head, *lines[1:], tail])


def setup(app):
    app.connect("source-read", wrap_modules)
    app.connect("html-page-context", add_breaks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
