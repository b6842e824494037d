"""Models: what a score is, how thresholds and alarms come about, how artifacts are made and kept.

One room each, and each may import only those after it: ``cli/`` (commands), ``tracking/`` (MLflow)
and ``report/`` (figures with intervals, pages, cards), ``training/`` (torch), ``evaluation/``
(scikit-learn), ``artifact/`` (onnxruntime) and ``whatif/``, ``thresholding/`` and ``alarm.py``,
``scoring/`` (numpy alone). Start at ``scoring/scorer.py``, then ``artifact/manifest.py`` and
``training/build.py``. ``docs/models.md`` tells the whole story.
"""
