"""False warnings that budgets promise, and those that new engines get."""
