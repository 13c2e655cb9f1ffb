"""The conformance kit for data sets: checks of the declaration, of repeated loads, and of the contents."""
