"""From the columns of X to rows of networks, and back: scaling, categories, gaps and frames."""
