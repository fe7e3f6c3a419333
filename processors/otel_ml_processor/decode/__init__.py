"""Request bytes to `InferenceColumns`, and the places of the spans within the bytes."""
