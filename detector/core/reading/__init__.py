"""From what a fetch brought to the readings in it, or to the reason why there is none.

Start at ``source.py``, what came, then ``decoding.py``, one record alone, which is the definition.
Nearly all records are plain, and ``many.py`` decodes them at once; ``columns.py`` holds readings by
column, and ``table.py`` asset by asset, and makes single ones for whoever asks.
"""
