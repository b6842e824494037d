"""What a person sees in a terminal: lines, stamps, plots, words, worst first. Pure."""
