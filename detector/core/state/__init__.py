"""What is remembered of an asset and of a partition, and its form as bytes.

Start at ``asset.py``; ``alarm_codec.py`` and ``history_codec.py`` are parts of its layout,
``many.py`` reads many states at once, ``progress.py`` says how far a partition's states reach.
"""
