"""The maths shared by training and serving: windows, normalisation, scores, thresholds, artifacts.

May import: ``common``, numpy, and onnxruntime for serving; torch, scikit-learn and matplotlib only
in ``network``, ``training`` and ``evaluation`` (extra ``train``).
Start here: ``scoring.py`` (what a score is), ``artifact.py`` (what ships), ``serving.py`` (what the
detector calls).
"""
