"""Execution of integer networks: the golden model and the fast kernels that equal it."""
