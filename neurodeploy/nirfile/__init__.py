"""The ``.nir`` file of a Graph: a bounded reader, and a writer that keeps what NIR itself leaves out."""

from neurodeploy.nirfile.reader import read_graph, read_metadata, read_names
from neurodeploy.nirfile.writer import write_graph

__all__ = ["read_graph", "read_metadata", "read_names", "write_graph"]
