"""A window and its reference become a reading; a reading becomes a verdict."""
