"""Weights that ship with the package: one ONNX file and one card (JSON) a model."""
