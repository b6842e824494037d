"""How anomalous is a window: pure numpy, no files, no clock, no network runtime.

Start at ``scorer.py``: the values and the port the detector calls. ``normaliser.py`` puts readings
on a model's scale, ``windows.py`` cuts them, ``scores.py`` is the registry of named scores, whose
maths is in ``measures/``. ``channel.py`` scores the oddest channel, ``unmoved.py`` counts how long
each has stood still, ``life.py`` says how long a machine has got, by the trees of ``trees.py``.
``evidence.py`` weighs all of it: one severity. Telemetry adds ``smoothing.py``, ``finals.py`` (a
score for good, once later windows have spoken), ``head.py`` (a network's last layer, an asset's
own) and ``rolling.py`` (the baseline it is measured against).
"""
