"""The conformance kit under its public name; the code is in `equipoise.testing`."""

from equipoise.testing import (
    BACKBONE_CHECKS,
    CHECKS,
    DATASET_CHECKS,
    Finding,
    assert_conforms,
    check,
    conformance_tests,
)

__all__ = [
    "BACKBONE_CHECKS",
    "CHECKS",
    "DATASET_CHECKS",
    "Finding",
    "assert_conforms",
    "check",
    "conformance_tests",
]
