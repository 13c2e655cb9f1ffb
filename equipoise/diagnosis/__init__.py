"""Know your data before you balance it: `equipoise.diagnose`, its sections and their presentation.

The package is not called `diagnose`, because importing it would then replace the function `equipoise.diagnose` by a
module.
"""

from equipoise.diagnosis.diagnosis import SCHEMA, Diagnosis, diagnose

__all__ = ["SCHEMA", "Diagnosis", "diagnose"]
