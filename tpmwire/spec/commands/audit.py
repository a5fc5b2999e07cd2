"""TPM 2.0 Part 3, §21: command audit."""

from typing import Annotated

from ..command import USER, Command
from ..constants import TPM_CC
from ..structures import TPMI_ALG_HASH, TPMI_RH_PROVISION, TPML_CC


class SetCommandCodeAuditStatus(Command, code=TPM_CC.SetCommandCodeAuditStatus, spec="Part 3 §21.2"):
    """Sets which commands are audited, and with which hash."""

    auth: Annotated[TPMI_RH_PROVISION, USER]
    audit_alg: TPMI_ALG_HASH
    set_list: TPML_CC
    clear_list: TPML_CC
