"""TPM 2.0 Part 3, §10: self-test."""

from typing import Annotated

from ...record import Record
from ...wires import Sized
from ..command import Command
from ..constants import TPM_CC
from ..structures import TPM_RC_ID, TPMI_YES_NO, TPML_ALG


class SelfTest(Command, code=TPM_CC.SelfTest, spec="Part 3 §10.2"):
    """Tests all functions of the TPM or, without `full_test`, only the functions that have not been tested."""

    full_test: TPMI_YES_NO


class IncrementalSelfTest(Command, code=TPM_CC.IncrementalSelfTest, spec="Part 3 §10.3"):
    """Tests some algorithms, and returns the algorithms that are not yet tested."""

    to_test: TPML_ALG

    class Response(Record):
        to_do_list: TPML_ALG


class GetTestResult(Command, code=TPM_CC.GetTestResult, spec="Part 3 §10.4"):
    """Returns the result of the self-test; works in failure mode too."""

    class Response(Record):
        out_data: Annotated[bytes, Sized()]
        test_result: TPM_RC_ID
