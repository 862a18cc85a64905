"""What a network is trained for: classes of samples, classes of pixels, or objects in boxes with masks.

A task turns a batch of its dataset's samples into gradients and a tested side into figures; everything else about a
training run is the trainer's.
"""
