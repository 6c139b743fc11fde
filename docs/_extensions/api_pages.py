"""What pages of the API reference show: our own methods, and names of attributes as they are."""

import inspect
import re

import skaae

# A word that ends in an underscore, outside backticks: to reStructuredText it would be a link.
ATTRIBUTE = re.compile(r"(?<![\w`.])([a-zA-Z]\w*)_(?![\w`\[])")


def own_methods(cls):
    """Return names of public methods that skaae defines, those of the class itself first."""
    found = {}
    for base in cls.__mro__:
        for name, value in vars(base).items():
            # functions, class methods, and what available_if makes of a function
            is_method = inspect.isfunction(value) or isinstance(value, classmethod)
            if (is_method or hasattr(value, "fn")) and not name.startswith("_"):
                # a method of scikit-learn that we only wrap has its docstring from there
                found.setdefault(name, inspect.unwrap(value).__module__)
    return [name for name, home in found.items() if home.startswith("skaae")]


def public_classes():
    """Yield the full name of each class that has a page, and the class."""
    for module in (skaae, skaae.displays, skaae.model_selection, skaae.priors):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                yield f"{module.__name__}.{name}", value


def escape_attributes(app, what, name, value, options, lines):
    """Keep numpydoc from taking `n_clusters_` in a text for a link; names of parameters stay."""
    for index, line in enumerate(lines):
        head, colon, rest = line.partition(" : ")
        if not colon or not re.fullmatch(r"[\w, *]+", head):
            head, colon, rest = "", "", line
        lines[index] = head + colon + ATTRIBUTE.sub(r"\1\\_", rest)


def setup(app):
    methods = {name: own_methods(cls) for name, cls in public_classes()}
    app.config.autosummary_context = {"own_methods": methods}
    app.connect("autodoc-process-docstring", escape_attributes, priority=400)  # numpydoc: 500
    return {"parallel_read_safe": True, "parallel_write_safe": True}
