"""ONNX files: integer networks written as graphs, trained feed-forward networks read to become spiking ones."""
