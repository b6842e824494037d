"""NASA's C-MAPSS turbofan data: which files there are, which engines are meant, and their rows."""
