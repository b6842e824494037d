"""SKAB, a real pump on a test bed: which score and threshold find its faults."""
