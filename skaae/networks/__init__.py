"""The networks: layers, encoder, decoder and discriminators."""
