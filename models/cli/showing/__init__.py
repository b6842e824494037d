"""What the commands show: progress on standard error, tables and intervals, the written report."""
