"""Soft TPM: self-test commands (Part 3, §10). The self-tests always pass."""

from ...spec.commands.testing import GetTestResult, IncrementalSelfTest, SelfTest
from ..registry import handles
from ..tpm_state import TpmState


@handles(SelfTest)
def self_test(tpm: TpmState, command: SelfTest) -> None:
    """Does nothing: the self-test always passes (TPM2_SelfTest)."""


@handles(IncrementalSelfTest)
def incremental_self_test(tpm: TpmState, command: IncrementalSelfTest) -> IncrementalSelfTest.Response:
    """Returns an empty list of algorithms to test (TPM2_IncrementalSelfTest)."""
    return IncrementalSelfTest.Response(())


@handles(GetTestResult)
def get_test_result(tpm: TpmState, command: GetTestResult) -> GetTestResult.Response:
    """Returns success and empty details (TPM2_GetTestResult)."""
    return GetTestResult.Response(b"", 0)
