"""The torch side: spiking layers, networks built from recipes, datasets, training and checkpoints.

Importing this package loads no torch. Recipes, their layers and the datasets do without it; networks, training and
checkpoints need it.
"""
