"""Real servers for tests, of processes or containers, and what may befall them."""
