"""Small things about files: whole or not at all, for their owner alone, TOML, changed since."""
