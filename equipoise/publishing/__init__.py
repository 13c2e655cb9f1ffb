"""Results that others can cite, recompute and extend: published folders, their verification, and submissions."""
