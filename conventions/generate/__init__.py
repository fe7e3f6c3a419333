"""The generator of the conventions: YAML in; constants, `registry.json` and pages out."""
