"""SANA-FE as a peer: a placement and a recording as its files, and its own count and bill of the same activity.

SANA-FE (GPL-3) is a program of its own here: it lives in an environment of its own, reads files and prints an answer.
Nothing of it is imported or contained.
"""
