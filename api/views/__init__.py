"""What goes over HTTP, in and out: bodies, queries, answers, and how they are made."""
