"""The report as one self-contained HTML page: `equipoise report --html FILE`."""
