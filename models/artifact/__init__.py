"""A trained model as a folder of plain files, and the way from there to a scorer.

``manifest.py`` says what is in it (``metrics.py``: the figures, ``provenance.py``: the data,
``version.py``: its version; beside it ``confidence.py``: how sure it is),
``store.py`` loads and saves it, ``score_arrays.py`` reads what its score learned, ``opening.py``
makes a scorer of it with ``onnx_scorer.py``, the only importer of onnxruntime. ``shipped/`` holds
those that come with the package, ``suggestion.py`` says which of them fits a file.
"""
