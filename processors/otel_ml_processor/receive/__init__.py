"""Bytes in: OTLP over gRPC, admission."""
