"""Find strategies, data sets and backbones by name; parse specs; compose."""
