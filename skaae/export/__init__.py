"""Fitted estimators as PyTorch modules and as ONNX files."""
