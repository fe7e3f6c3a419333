"""The processor: drift and confidence computed in the path of an OpenTelemetry collector."""
