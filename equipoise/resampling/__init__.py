"""What resampling strategies share: bags of labels, neighbours, interpolation, the audit of what a resampler did."""
