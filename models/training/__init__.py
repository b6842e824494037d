"""How an artifact is made. scikit-learn here; torch and onnx only in ``networks/``.

``build.py`` is the whole way. ``catalogue.py``: which models there are; ``preparation.py``:
recordings to windows (``own_data.py``: somebody's own, or why they do not suffice);
``score_fits.py`` and ``isolation_forest.py``: what a score learns; ``calibration.py``: its
thresholds; ``evidence.py``: single channels, remaining life (``life_fit.py``, with boosted trees,
``boosting.py``, and intervals, ``life_band.py``), and one budget of false alarms for all, chosen on
assets that what scores them never saw (``cross_fit.py``); ``assembly.py``: all of it to a manifest.
 ``recalibration.py`` chooses the thresholds of
an existing artifact anew, ``quantise.py`` makes a smaller network of its own.
"""
