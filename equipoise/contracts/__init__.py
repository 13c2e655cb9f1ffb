"""What plugs in, and what the suite expects of it: Strategy, Task, Rows, Backbone, Dataset, Features, hyperparameters."""
