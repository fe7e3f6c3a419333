"""
`otel-ml splice`: the overlay that puts the processor into a collector that runs already.

    files --layers--> Setting --collector--> Collector --plan--> Plan --overlay--> Overlay --overlay_text--> YAML --proof--> the collector's word
                                                 `- placement, presence, conflicts: what goes where, is there already, would break

No file is changed and nothing is started.
"""
