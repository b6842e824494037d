"""A healthy fleet and the api among strangers who send anything at all: ``make hostile``."""
