"""From a broker's bytes to records, whatever the bytes are: every consumer of ours reads this way.

May import: aiokafka's private names (pinned; ``tests/contract/test_intake.py`` says so loudly when
an upgrade moves one), ``common.errors`` and ``common.logs``.
Start here: ``consumer.py`` (what the services use), then ``response.py`` (one partition's bytes),
``batches.py`` (one batch's) and ``codecs.py`` (bounded decompression).
"""
