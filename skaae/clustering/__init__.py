"""Functions of arrays that find clusters, merge them and assign them to classes."""
