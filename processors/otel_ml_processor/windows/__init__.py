"""Which rows belong together, and what is kept of them."""
