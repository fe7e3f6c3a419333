"""Labels that come later: which prediction they are of, and what they say of it."""
