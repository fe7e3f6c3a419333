"""Readings become metrics, events and annotations."""
