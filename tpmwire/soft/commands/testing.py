"""Part 3, §10: self-test. All functions pass."""

from ...spec.commands.testing import GetTestResult, IncrementalSelfTest, SelfTest
from ..registry import handles
from ..tpm_state import TpmState


@handles(SelfTest)
def self_test(tpm: TpmState, command: SelfTest) -> None:
    """Passes."""


@handles(IncrementalSelfTest)
def incremental_self_test(tpm: TpmState, command: IncrementalSelfTest) -> IncrementalSelfTest.Response:
    """Returns an empty list: no algorithm is left to be tested."""
    return IncrementalSelfTest.Response(())


@handles(GetTestResult)
def get_test_result(tpm: TpmState, command: GetTestResult) -> GetTestResult.Response:
    """Returns success, without details."""
    return GetTestResult.Response(b"", 0)
