"""The sections of a diagnosis: each measures one thing about the data and says it in words."""
