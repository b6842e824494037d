"""Small defects planted in the core; which of them does no test notice? ``make mutants``."""
