"""Tests of ONNX files, read and written."""
