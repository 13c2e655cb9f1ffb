"""Tools that resampling strategies share: rows by label, nearest neighbours, interpolation, and an audit of the result."""
