"""Where trainings start: the initial parameters of lanes, and the biases of their outputs."""
