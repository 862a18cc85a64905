"""The report of a deployment: one JSON document, and one self-contained HTML page made from it."""
