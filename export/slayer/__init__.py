"""lava-dl's slayer: networks of CUBA blocks, which compute in the chip's integers, read as integer Networks."""

from neurodeploy.export.slayer.door import open_slayer

__all__ = ["open_slayer"]
