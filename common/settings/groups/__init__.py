"""The groups of settings, one file each; ``tls.py`` and ``address.py`` are parts several share.

They sit under what reads them, and know nothing of each other. A new setting is one field here.
"""
