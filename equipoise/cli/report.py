"""`equipoise report`: the results in a store, in words, as data or as a picture."""

from __future__ import annotations
