"""The sections of a diagnosis. Each measures one aspect of the data and describes the result in words."""
