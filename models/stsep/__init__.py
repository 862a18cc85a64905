"""Residual networks whose stages may forget, and STSep, which separates what is seen from how it moves.

A re-implementation after Dong, Yu, Ding, Xu and Huang, 2025 (arXiv 2512.05472): the rule of non-stateful stages and the
idea of the two branches are the paper's; layer sizes, constants and recipes, whose full text was not at hand, are
choices of this package, named where they are made.
"""
