"""
Networks of your own
====================

Encoder and decoder may be any modules of PyTorch, given as functions that make them. For images
there is ``architecture="conv"``, convolutions without writing a module. The pictures show rows
above their reconstructions from codes of eight components.
"""

# %%
# Factories
# ---------
# A factory gets the numbers of inputs and outputs, and is called in each fit, so that every fit
# starts afresh and scikit-learn can clone the estimator.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from skaae import AAETransformer, ReconstructionDisplay


def encoder(n_inputs, n_outputs):
    """Make an encoder with layer normalization."""
    return nn.Sequential(
        nn.Linear(n_inputs, 128),
        nn.LayerNorm(128),
        nn.GELU(),
        nn.Linear(128, n_outputs),
    )


def decoder(n_inputs, n_outputs):
    """Make a decoder; the sigmoid after its output is the estimator's business."""
    return nn.Sequential(nn.Linear(n_inputs, 128), nn.GELU(), nn.Linear(128, n_outputs))


X_train, X_test = train_test_split(load_digits().data, random_state=0)
own = AAETransformer(8, encoder=encoder, decoder=decoder, max_iter=100, random_state=0)
own.fit(X_train)
ReconstructionDisplay.from_estimator(own, X_test)
plt.show()

# %%
# Convolutions
# ------------
# Rows are flat images; ``image_shape`` says of which shape, where they are not squares of one
# channel.
conv = AAETransformer(8, architecture="conv", image_shape=(8, 8), max_iter=50, random_state=0)
conv.fit(X_train)
ReconstructionDisplay.from_estimator(conv, X_test)
plt.show()

# %%
# Scores are minus the reconstruction loss; higher is better.
for name, aae in {"factories": own, "convolutions": conv}.items():
    print(f"{name:<13} {aae.score(X_test):.2f}")
