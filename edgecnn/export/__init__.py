"""Ways out of a trained model: ONNX, and the C array for TFLite Micro."""
