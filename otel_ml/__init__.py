"""OpenTelemetry for machine learning."""
