"""The conformance kit under its public name; the code is in `equipoise.testing`."""

from equipoise.testing import CHECKS, Finding, assert_conforms, check, conformance_tests

__all__ = ["CHECKS", "Finding", "assert_conforms", "check", "conformance_tests"]
