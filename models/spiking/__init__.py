"""Spiking neurons over whole sequences: their equations, a plain reference, and fused kernels that equal it."""
