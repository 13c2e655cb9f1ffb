"""The commands about time: `equipoise time` and `equipoise bench`."""
