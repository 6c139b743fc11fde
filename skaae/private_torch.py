"""The private names of PyTorch that we use, each with its purpose.

The rest of this package uses public names only. These names were tried with PyTorch 2.13. A version
that lacks one fails here, with its name, and not somewhere inside a fit.
"""

from __future__ import annotations

import torch

try:
    # intercepts the random draws of one thread; it is documented, but in no public module
    from torch.utils._python_dispatch import TorchDispatchMode

    # the file that leads to the library of matrix products
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
