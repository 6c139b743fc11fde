"""How networks are trained: one mini-batch, the schedule of stages, the loop."""
