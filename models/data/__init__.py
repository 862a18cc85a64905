"""Event datasets: a simulated event camera, readers of the recordings that others published, and their cache.

NumPy only. Whatever the source, a dataset ends as :class:`neurodeploy.models.data.clips.Clips`, mapped from a file.
"""
