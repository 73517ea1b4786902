"""Running exported models on ONNX Runtime."""
