"""The commands that make, measure and promote models: composition roots, one file each.

``train.py`` (``training_job.py``: one training, ``own_recording.py``: reads own data),
``evaluate.py``, ``artifacts.py`` (``calibrate``, ``export``, ``card``, ``confidence``) and
``promotion.py`` (``promote``, and what ``train --track`` does after training); ``series.py``
and ``parts.py`` are of single streams, ``series_progress.py`` says how far they are. ``support.py``
is what all share, ``tables.py`` and ``intervals.py`` what they print.
"""
