"""Datasets: a simulated event camera, readers of what others published, their cache, and their random changes.

NumPy only; PyAV, Pillow and pycocotools where pictures are read. Events end as
:class:`neurodeploy.models.data.clips.Clips`, mapped from a file; images and videos stay in their files as
:class:`neurodeploy.models.data.ondisk.OnDisk`, or as sets with a class a pixel or with objects.
"""
