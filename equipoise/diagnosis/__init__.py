"""Know your data before you balance it: `equipoise.diagnose` and what it finds.

The package is not called `diagnose`, because importing it would then put a module where `equipoise.diagnose`, the
function, belongs.
"""

from equipoise.diagnosis.diagnosis import SCHEMA, Diagnosis, diagnose

__all__ = ["SCHEMA", "Diagnosis", "diagnose"]
