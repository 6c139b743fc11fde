"""Why no test notices some mutants of `make mutation`: by module, function and change.

Survivors that only change the text of an error or a warning need no entry.
"""

KINDS = {
    "message": "other words in an error or a warning",
    "same": "the same result by another way, such as a default that is spelled out",
    "device": "differs on GPUs only",
}

EXPLAINED = {}
