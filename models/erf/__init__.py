"""Spatio-temporal effective receptive fields: which pixels and steps of its input an answer of a network hears.

The gradient of a layer's output at one place and step by the input, in absolute value: Luo et al., 2016, for images;
arXiv 2510.21403 for spiking networks. Averages of absolute values over runs, as its public code takes them, never
absolute values of averages. The scalars beside the maps are this package's own.
"""
