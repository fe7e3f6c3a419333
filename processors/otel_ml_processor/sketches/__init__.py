"""What is kept of a column: counts, and nothing that grows."""
