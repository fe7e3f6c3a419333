"""A profile learned from the inferences of a model that has none."""
