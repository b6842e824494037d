"""What the detector's ports stand for in the real world. May import drivers; never the service."""
