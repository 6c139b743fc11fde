"""The names of PyTorch that it does not call public, each with what we use it for.

Everything else in this package uses public names. These were tried with PyTorch 2.13; a version
that lacks one fails here, by name, in place of somewhere inside a fit.
"""

from __future__ import annotations

import torch

try:
    # intercepts draws of one thread; public documentation exists, a public module does not
    from torch.utils._python_dispatch import TorchDispatchMode

    # the library through which that of matrix products is found
    EXTENSION_FILE = torch._C.__file__
    # one kernel for all weights of an optimiser's step
    fused_adam = torch._fused_adam_
    fused_sgd = torch._fused_sgd_
    # lists of tensors in one call
    foreach_copy = torch._foreach_copy_
    foreach_div = torch._foreach_div_
    foreach_lerp = torch._foreach_lerp_
    foreach_norm = torch._foreach_norm
    foreach_zero = torch._foreach_zero_
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"skaae was made for torch 2.13 and needs a part of it that torch {torch.__version__} "
        f"lacks: {error}. Install torch 2.13, or a newer skaae."
    ) from error

__all__ = [
    "EXTENSION_FILE",
    "TorchDispatchMode",
    "foreach_copy",
    "foreach_div",
    "foreach_lerp",
    "foreach_norm",
    "foreach_zero",
    "fused_adam",
    "fused_sgd",
]
