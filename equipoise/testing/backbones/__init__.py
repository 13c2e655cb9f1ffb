"""The conformance kit for backbones: small data sets, and checks of features, parameters, forward passes and training."""
