"""The commands about what there is: `equipoise list` and `equipoise info`."""
