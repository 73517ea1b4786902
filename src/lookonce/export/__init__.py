"""Deployment: trained networks to ONNX."""
