"""What strategies gain in controlled worlds: by factor of the world, as a share of what could be gained, and as a map."""

from __future__ import annotations
