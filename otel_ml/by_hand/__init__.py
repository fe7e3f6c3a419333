"""What users record by hand: calls that no instrumentor knows, and what is learned of predictions."""
