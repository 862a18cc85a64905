"""Meta-SDT backbones (V2 and V3) with Conv, MLPixer and SRB channel mixers, and networks for pixels and boxes.

After Yao et al. (Spike-driven Transformer V2 and V3) and the spatio-temporal receptive field study of NeurIPS 2025
(arXiv 2510.21403), whose public code decides where it and the paper differ; docstrings say which of the two each option
is. Semantic-FPN, in plain torch, and Mask R-CNN, with torchvision's code for regions, are re-implementations of the
published sizes.
"""
