"""Spatio-temporal decoupled learning (STDL; Ma et al., 2025), and the local methods it is compared with.

Re-implementation: of the paper its abstract alone was at hand. What it leaves open is an option here, and the choice is
named where it is made.
"""
