"""Bytes out: the next hop, within the caller's deadline."""
