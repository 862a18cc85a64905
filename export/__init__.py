"""Doors from and to other formats: readers of framework checkpoints, and the proof that nothing changed on the way.

Importing this package loads no framework; its modules do.
"""
