"""How an artifact is made. scikit-learn here; torch and onnx only in ``networks/``.

``build.py`` is the whole way. ``catalogue.py``: which models there are; ``preparation/``:
recordings to windows; ``score_fits.py`` and ``isolation_forest.py``: what a score learns;
``calibration.py``: its thresholds; ``evidence.py``: single channels and remaining life
(``life/``), and one budget of false alarms for all, chosen on assets that what scores them never
saw (``cross_fit.py``); ``assembly.py``: all of it to a manifest. ``recalibration.py`` chooses the
thresholds of an existing artifact anew, ``quantise.py`` makes a smaller network of its own.
"""
