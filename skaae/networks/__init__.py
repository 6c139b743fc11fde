"""The networks: layers, encoder, decoder, discriminators."""
