"""Writes a float Graph as a torch module of a framework: readable code, and its weights beside it."""

from neurodeploy.export.torchcode.writing import FRAMEWORKS, module_files, to_torch, write_module

__all__ = ["FRAMEWORKS", "module_files", "to_torch", "write_module"]
