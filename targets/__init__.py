"""Chips as data, and what executes a network: emulator, Lava, onnxruntime, and the float reference."""
