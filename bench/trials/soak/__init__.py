"""A steady fleet with a fault every half minute: ``make soak``."""
