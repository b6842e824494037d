"""The maths shared by training and serving: windows, normalisation, scores, thresholds, artifacts.

May import: ``common``, numpy, and onnxruntime for serving; scikit-learn only in ``evaluation``,
``forest_training`` and ``recipe``; torch and onnx only in ``network``, ``patchtst``, ``training``,
``export``, ``quantise`` and ``recipe`` (extra ``train``). Start here: ``scoring.py`` (what a score
is), ``artifact.py`` (what ships), ``serving.py`` (what the detector calls), ``recipe.py`` (how an
artifact is made). ``docs/models.md`` tells the whole story.
"""
