"""
Your own networks
=================

Encoder and decoder can be any PyTorch modules. For images, skaae has convolutional
networks. Each picture shows test images above their reconstructions from codes with
eight dimensions.
"""

# %%
# Functions that return networks
# ------------------------------
# Write a function that takes the numbers of inputs and outputs and returns a module.
# Each ``fit`` calls the function, so each ``fit`` starts with new weights.
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from skaae import MLP, AAETransformer, Conv, ReconstructionDisplay


def encoder(n_inputs, n_outputs):
    """Make an encoder with layer normalization."""
    return nn.Sequential(
        nn.Linear(n_inputs, 128),
        nn.LayerNorm(128),
        nn.GELU(),
        nn.Linear(128, n_outputs),
    )


def decoder(n_inputs, n_outputs):
    """Make a decoder; the estimator adds the sigmoid after its output."""
    return nn.Sequential(nn.Linear(n_inputs, 128), nn.GELU(), nn.Linear(128, n_outputs))


X_train, X_test = train_test_split(load_digits().data, random_state=0)
network = MLP(encoder=encoder, decoder=decoder)
own = AAETransformer(8, network=network, max_iter=100, random_state=0)
own.fit(X_train)
ReconstructionDisplay.from_estimator(own, X_test)
plt.show()

# %%
# Convolutions
# ------------
# Each row is a flattened image, and ``image_shape`` is its shape. You can leave it out
# for square images with one channel, as here.
network = Conv(image_shape=(8, 8))
conv = AAETransformer(8, network=network, max_iter=50, random_state=0)
conv.fit(X_train)
ReconstructionDisplay.from_estimator(conv, X_test)
plt.show()

# %%
# ``score`` is minus the reconstruction loss, so higher is better.
for name, aae in {"functions": own, "convolutions": conv}.items():
    print(f"{name:<13} {aae.score(X_test):.2f}")
