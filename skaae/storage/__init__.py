"""Tables that do not fit into memory: where their rows come from, and how they are read."""
