"""Chips as data, and what executes a network: emulator, Lava, and the float reference."""
