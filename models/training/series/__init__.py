"""Models of single streams: one part for each asset, and what they find in its later readings.

``catalogue.py``: which models there are; ``part.py``: one asset's part is fitted and scores;
``network.py``: the network that all share, and its last layer fitted to one asset;
``threshold.py``: from scores to flags. ``study.py`` runs all models over all series, on several
cores, and goes on where it was stopped; ``artifact.py`` writes all parts as one artifact.
``docs/telemetry.md`` has the figures. Only ``network.py`` trains with torch.
"""
