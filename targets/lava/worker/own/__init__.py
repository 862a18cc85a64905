"""Lava processes of our own, for what Lava has no fixed-point model of: a package, which Lava searches for models."""
