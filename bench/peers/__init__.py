"""What others would have built: the same network and score in Faust, aiokafka, Quix Streams, HTTP.

Each is a program of its own, started by ``bench/support/taking.py``. ``catalogue.py`` lists them;
``venv.py`` makes an environment for one whose packages clash with ours. May import ``suite/``.
"""
