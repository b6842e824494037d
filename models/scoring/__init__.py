"""How anomalous is a window: pure numpy, no files, no clock, no network runtime.

Start at ``scorer.py``: the values and the port the detector calls. ``normaliser.py`` puts readings
on a model's scale, ``windows.py`` cuts them, ``scores.py`` is the registry of named scores, whose
maths is in ``trend.py``, ``subspace.py``, ``forest.py``, ``moves.py`` and ``nearest.py``;
``contributions.py`` is what each gives. ``channel.py`` scores the oddest channel, ``unmoved.py``
counts how long each has stood still, ``life.py`` says how long a machine has got, by the trees of
``trees.py``. ``evidence.py`` weighs all of it: one severity.
"""
