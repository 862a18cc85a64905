"""Spiking multiscale attention (SMA) and attention zone-out (AZO), and the networks that they were published in.

After Shan et al., AAAI 2025 (arXiv 2405.13672) and its public code. Where the two differ, or where the code's behaviour
is a fault (a crash on an empty selection, a switch outside the module), the docstrings say what was chosen.
"""
