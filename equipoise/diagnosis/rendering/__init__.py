"""A diagnosis shown: on the console, as pictures, as one HTML page."""
