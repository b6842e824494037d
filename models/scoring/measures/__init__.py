"""The maths of the named scores: pure functions of windows, what was expected, what was learned.

``contributions.py`` is what each takes and gives, ``courses.py`` lays windows out time first.
``trend.py`` asks how far most channels stand off, ``subspace.py`` and ``forest.py`` how unusual a
window is as a whole, ``moves.py`` and ``change.py`` how it changes, ``nearest.py``,
``nearest_window.py`` and ``window_pca.py`` how unlike all healthy ones it is, ``topk.py`` where a
network errs most, and ``views.py`` joins three of them. ``scores.py``, next door, gives them names.
"""
