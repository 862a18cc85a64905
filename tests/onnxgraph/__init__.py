"""Tests of the ONNX graphs of integer networks."""
