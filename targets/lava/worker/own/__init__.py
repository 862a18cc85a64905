"""Lava processes of our own, for what Lava has no fixed-point model of; a package, because Lava searches it for models."""
