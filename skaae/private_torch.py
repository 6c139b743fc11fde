"""All private names of PyTorch that this package uses, each with its purpose.

Other modules use only public names of PyTorch. These private names were tested with PyTorch 2.13.
If a version lacks a name, importing this module fails with a clear message, so the error does not
come later in a fit.
"""

from __future__ import annotations

import torch

try:
    # intercepts the random draws of one thread; it is documented, but in a private module
    # modules with running statistics: batch normalization and its relatives
    from torch.nn.modules.batchnorm import _NormBase as NormBase
    from torch.utils._python_dispatch import TorchDispatchMode

    # the file through which MKL, the library of matrix products, is found
    EXTENSION_FILE = torch._C.__file__
    # update all weights of an optimiser in one kernel
    fused_adam = torch._fused_adam_
    fused_sgd = torch._fused_sgd_
    # process lists of tensors in one call
    foreach_copy = torch._foreach_copy_
    foreach_div = torch._foreach_div_
    foreach_lerp = torch._foreach_lerp_
    foreach_norm = torch._foreach_norm
    foreach_zero = torch._foreach_zero_
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"skaae was made for torch 2.13 and needs a name that torch {torch.__version__} "
        f"lacks: {error}. Install torch 2.13, or a newer skaae."
    ) from error

__all__ = [
    "EXTENSION_FILE",
    "NormBase",
    "TorchDispatchMode",
    "foreach_copy",
    "foreach_div",
    "foreach_lerp",
    "foreach_norm",
    "foreach_zero",
    "fused_adam",
    "fused_sgd",
]
