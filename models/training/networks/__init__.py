"""The networks, in torch. Nothing that serves imports this.

``lstm.py`` and ``patchtst.py`` are their shapes, ``loop.py`` trains them, ``onnx_export.py`` writes
them down.
"""
