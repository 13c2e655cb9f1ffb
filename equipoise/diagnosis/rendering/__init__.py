"""Presents a diagnosis: on the console, as pictures, and as one HTML page."""
