"""How good is a model: which engines may be looked at, whole records through a scorer, figures.

``splits.py`` says who is fitted, chosen and measured on; ``batch_path.py`` scores whole engines
with the very scorer the detector uses (parity compares with it); ``measure.py`` gives the figures
(scikit-learn).
"""
