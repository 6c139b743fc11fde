"""Training of the networks: losses, the step on one mini-batch, stages, the training loop."""
