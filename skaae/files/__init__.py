"""Nested values in one file: arrays as safetensors, all other values as JSON, and no code."""
