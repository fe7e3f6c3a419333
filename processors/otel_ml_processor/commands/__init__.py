"""One file per subcommand of `otel-ml`."""
