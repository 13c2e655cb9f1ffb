"""The public name of the conformance kit, which lives in `equipoise.testing`."""

from equipoise.testing import CHECKS, Finding, assert_conforms, check, conformance_tests

__all__ = ["CHECKS", "Finding", "assert_conforms", "check", "conformance_tests"]
