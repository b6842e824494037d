"""What is remembered of an asset and of a partition, and its form as bytes.

Start at ``asset.py``; ``alarm_codec.py`` and ``history_codec.py`` are parts of its layout. Nearly
all states of a batch stand in a ``table.py`` instead, laid out by ``layout.py``, from when
``many.py`` reads them until they are packed; ``known.py`` gives them by asset, ``starts.py`` to a
fleet's model. ``progress.py`` says how far a partition's states reach.
"""
