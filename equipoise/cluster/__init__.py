"""Cells on other machines, over dask.distributed: `equipoise run --cluster ADDRESS` and `equipoise worker ADDRESS`."""
