"""Numbers from counts: one method per file, named as the literature names it."""
