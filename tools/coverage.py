"""Writes docs/coverage.md: the commands and types of TPM 2.0 that tpmwire declares, and those that it does not.

python tools/coverage.py            writes docs/coverage.md
python tools/coverage.py --check    exits with 1 if the page is out of date
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tpmwire.explain.table import kinds  # noqa: E402
from tpmwire.explain.texts.other_names import OTHER_NAMES, SAME, UNDECLARED  # noqa: E402
from tpmwire.spec.command import Command, command_class, role_of  # noqa: E402
from tpmwire.spec.constants import TPM_CC  # noqa: E402
from tpmwire.wire import first_parameter  # noqa: E402

PAGE = ROOT / "docs" / "coverage.md"

# The type names of Part 2, revision 1.59, by section, and below them those that later versions add. Tests compare
# the names with those of tpmstream and tpm2-tss. The TCG's reference code for 1.84 has the same names. The names
# of 1.85 are those of the public release candidate 4.
PART_2 = {
    "8": """TPMA_ALGORITHM TPMA_OBJECT TPMA_SESSION TPMA_LOCALITY TPMA_PERMANENT TPMA_STARTUP_CLEAR TPMA_MEMORY
    TPMA_CC TPMA_MODES TPMA_X509_KEY_USAGE TPMA_ACT""",
    "9": """TPMI_YES_NO TPMI_DH_OBJECT TPMI_DH_PARENT TPMI_DH_PERSISTENT TPMI_DH_ENTITY TPMI_DH_PCR
    TPMI_SH_AUTH_SESSION TPMI_SH_HMAC TPMI_SH_POLICY TPMI_DH_CONTEXT TPMI_DH_SAVED TPMI_RH_HIERARCHY
    TPMI_RH_ENABLES TPMI_RH_HIERARCHY_AUTH TPMI_RH_HIERARCHY_POLICY TPMI_RH_PLATFORM TPMI_RH_OWNER
    TPMI_RH_ENDORSEMENT TPMI_RH_PROVISION TPMI_RH_CLEAR TPMI_RH_NV_AUTH TPMI_RH_LOCKOUT TPMI_RH_NV_INDEX
    TPMI_RH_AC TPMI_RH_ACT TPMI_ALG_HASH TPMI_ALG_ASYM TPMI_ALG_SYM TPMI_ALG_SYM_OBJECT TPMI_ALG_SYM_MODE
    TPMI_ALG_KDF TPMI_ALG_SIG_SCHEME TPMI_ECC_KEY_EXCHANGE TPMI_ST_COMMAND_TAG TPMI_ALG_MAC_SCHEME
    TPMI_ALG_CIPHER_MODE""",
    "10": """TPMS_EMPTY TPMS_ALGORITHM_DESCRIPTION TPMU_HA TPMT_HA TPM2B_DIGEST TPM2B_DATA TPM2B_NONCE TPM2B_AUTH
    TPM2B_OPERAND TPM2B_EVENT TPM2B_MAX_BUFFER TPM2B_MAX_NV_BUFFER TPM2B_TIMEOUT TPM2B_IV TPMU_NAME TPM2B_NAME
    TPMS_PCR_SELECT TPMS_PCR_SELECTION TPMT_TK_CREATION TPMT_TK_VERIFIED TPMT_TK_AUTH TPMT_TK_HASHCHECK
    TPMS_ALG_PROPERTY TPMS_TAGGED_PROPERTY TPMS_TAGGED_PCR_SELECT TPMS_TAGGED_POLICY TPMS_ACT_DATA TPML_CC
    TPML_CCA TPML_ALG TPML_HANDLE TPML_DIGEST TPML_DIGEST_VALUES TPML_PCR_SELECTION TPML_ALG_PROPERTY
    TPML_TAGGED_TPM_PROPERTY TPML_TAGGED_PCR_PROPERTY TPML_ECC_CURVE TPML_TAGGED_POLICY TPML_ACT_DATA
    TPMU_CAPABILITIES TPMS_CAPABILITY_DATA TPMS_CLOCK_INFO TPMS_TIME_INFO TPMS_TIME_ATTEST_INFO
    TPMS_CERTIFY_INFO TPMS_QUOTE_INFO TPMS_COMMAND_AUDIT_INFO TPMS_SESSION_AUDIT_INFO TPMS_CREATION_INFO
    TPMS_NV_CERTIFY_INFO TPMS_NV_DIGEST_CERTIFY_INFO TPMI_ST_ATTEST TPMU_ATTEST TPMS_ATTEST TPM2B_ATTEST
    TPMS_AUTH_COMMAND TPMS_AUTH_RESPONSE""",
    "11": """TPMI_AES_KEY_BITS TPMU_SYM_KEY_BITS TPMU_SYM_MODE TPMU_SYM_DETAILS TPMT_SYM_DEF TPMT_SYM_DEF_OBJECT
    TPM2B_SYM_KEY TPMS_SYMCIPHER_PARMS TPM2B_LABEL TPMS_DERIVE TPM2B_DERIVE TPMU_SENSITIVE_CREATE
    TPM2B_SENSITIVE_DATA TPMS_SENSITIVE_CREATE TPM2B_SENSITIVE_CREATE TPMS_SCHEME_HASH TPMS_SCHEME_ECDAA
    TPMI_ALG_KEYEDHASH_SCHEME TPMS_SCHEME_XOR TPMU_SCHEME_KEYEDHASH TPMT_KEYEDHASH_SCHEME TPMU_SIG_SCHEME
    TPMT_SIG_SCHEME TPMU_KDF_SCHEME TPMT_KDF_SCHEME TPMI_ALG_ASYM_SCHEME TPMU_ASYM_SCHEME TPMT_ASYM_SCHEME
    TPMI_ALG_RSA_SCHEME TPMT_RSA_SCHEME TPMI_ALG_RSA_DECRYPT TPMT_RSA_DECRYPT TPM2B_PUBLIC_KEY_RSA
    TPMI_RSA_KEY_BITS TPM2B_PRIVATE_KEY_RSA TPM2B_ECC_PARAMETER TPMS_ECC_POINT TPM2B_ECC_POINT
    TPMI_ALG_ECC_SCHEME TPMI_ECC_CURVE TPMT_ECC_SCHEME TPMS_ALGORITHM_DETAIL_ECC TPMS_SIGNATURE_RSA
    TPMS_SIGNATURE_ECC TPMU_SIGNATURE TPMT_SIGNATURE TPMU_ENCRYPTED_SECRET TPM2B_ENCRYPTED_SECRET
    TPMI_TDES_KEY_BITS TPMI_SM4_KEY_BITS TPMI_CAMELLIA_KEY_BITS TPMS_SCHEME_HMAC
    TPMS_SIG_SCHEME_RSASSA TPMS_SIG_SCHEME_RSAPSS TPMS_SIG_SCHEME_ECDSA TPMS_SIG_SCHEME_SM2
    TPMS_SIG_SCHEME_ECSCHNORR TPMS_SIG_SCHEME_ECDAA TPMS_ENC_SCHEME_RSAES TPMS_ENC_SCHEME_OAEP
    TPMS_KEY_SCHEME_ECDH TPMS_KEY_SCHEME_ECMQV TPMS_SCHEME_MGF1 TPMS_SCHEME_KDF1_SP800_56A TPMS_SCHEME_KDF2
    TPMS_SCHEME_KDF1_SP800_108 TPMS_SIGNATURE_RSASSA TPMS_SIGNATURE_RSAPSS TPMS_SIGNATURE_ECDSA
    TPMS_SIGNATURE_ECDAA TPMS_SIGNATURE_SM2 TPMS_SIGNATURE_ECSCHNORR""",
    "12": """TPMI_ALG_PUBLIC TPMU_PUBLIC_ID TPMS_KEYEDHASH_PARMS TPMS_ASYM_PARMS TPMS_RSA_PARMS TPMS_ECC_PARMS
    TPMU_PUBLIC_PARMS TPMT_PUBLIC_PARMS TPMT_PUBLIC TPM2B_PUBLIC TPM2B_TEMPLATE TPM2B_PRIVATE_VENDOR_SPECIFIC
    TPMU_SENSITIVE_COMPOSITE TPMT_SENSITIVE TPM2B_SENSITIVE TPM2B_PRIVATE TPMS_ID_OBJECT TPM2B_ID_OBJECT""",
    "13": "TPMA_NV TPMS_NV_PIN_COUNTER_PARAMETERS TPMS_NV_PUBLIC TPM2B_NV_PUBLIC",
    "14": "TPM2B_CONTEXT_SENSITIVE TPMS_CONTEXT_DATA TPM2B_CONTEXT_DATA TPMS_CONTEXT",
    "15": "TPMS_CREATION_DATA TPM2B_CREATION_DATA",
    "16": "TPMS_AC_OUTPUT TPML_AC_CAPABILITIES",
    "1.83 and 1.84": """TPMS_NV_PUBLIC_EXP_ATTR TPMT_NV_PUBLIC_2 TPM2B_NV_PUBLIC_2 TPMU_NV_PUBLIC_2
    TPMS_SPDM_SESSION_INFO TPML_SPDM_SESSION_INFO TPML_PUB_KEY TPM2B_VENDOR_PROPERTY TPML_VENDOR_PROPERTY
    TPMU_SET_CAPABILITIES TPMS_SET_CAPABILITY_DATA TPM2B_SET_CAPABILITY_DATA
    TPMI_RH_BASE_HIERARCHY TPMI_RH_NV_DEFINED_INDEX
    TPMI_RH_NV_LEGACY_INDEX TPMI_RH_NV_EXP_INDEX TPMS_SIG_SCHEME_EDDSA TPMS_SIG_SCHEME_EDDSA_PH
    TPMS_SIGNATURE_EDDSA TPMS_SIGNATURE_EDDSA_PH TPMS_KEY_SCHEME_SM2 TPMS_KDF_SCHEME_MGF1
    TPMS_KDF_SCHEME_KDF1_SP800_56A TPMS_KDF_SCHEME_KDF2 TPMS_KDF_SCHEME_KDF1_SP800_108 TPMA_NV_EXP""",
    "1.85": """TPMA_ML_PARAMETER_SET TPM2B_SHARED_SECRET TPMU_KEM_CIPHERTEXT TPM2B_KEM_CIPHERTEXT
    TPMU_TK_VERIFIED_META TPMI_MLKEM_PARMS TPM2B_PUBLIC_KEY_MLKEM TPM2B_PRIVATE_KEY_MLKEM TPMI_MLDSA_PARMS
    TPMS_SIGNATURE_HASH_MLDSA TPM2B_PUBLIC_KEY_MLDSA TPM2B_PRIVATE_KEY_MLDSA TPM2B_SIGNATURE_EDDSA
    TPM2B_SIGNATURE_MLDSA TPMU_SIGNATURE_CTX TPM2B_SIGNATURE_CTX TPM2B_SIGNATURE_HINT TPMS_MLDSA_PARMS
    TPMS_HASH_MLDSA_PARMS TPMS_MLKEM_PARMS""",
}

# Each version of the library with its last command code.
VERSIONS = {"1.59": 0x198, "1.83 and 1.84": 0x1A1, "1.85": 0x1AA}


def page() -> str:
    """Returns the text of docs/coverage.md."""
    commands = [(code, command_class(code)) for code in TPM_CC]
    declared = [kind for _, kind in commands if kind is not None]
    have = {name for group in kinds().values() for name in group}
    wanted = {section: names.split() for section, names in PART_2.items()}
    every = [name for names in wanted.values() for name in names]
    found = [name for name in every if name in have]
    second = [name for name in every if name in OTHER_NAMES]
    lines = [
        "# Coverage of TPM 2.0",
        "",
        "`python tools/coverage.py` generates this page from the declarations in `tpmwire/spec`. A test fails if\n"
        "it is out of date. `tpmwire spec NAME` shows each declaration. Sections are those of version 1.59, or\n"
        "of the version that added the command or type.",
        "",
        f"- Commands (Part 3): {len(declared)} of {len(commands)} code points of TPM_CC.",
        f"- Types (Part 2): {len(found)} of {len(every)} names; {len(second)} more are aliases; "
        f"{len(every) - len(found) - len(second)} need no declaration.",
        "",
        "| version | command codes | declared | types | declared | aliases | no declaration |",
        "|---|---|---|---|---|---|---|",
        *[_version_row(version, have) for version in VERSIONS],
        "",
        "## Commands",
        "",
        "The column *handles* has the authorization role of each handle, in order: USER, ADMIN or DUP (Part 1), "
        "or HANDLE if the handle needs no authorization. The column *encryption* shows whether a session can "
        "encrypt the first parameter of the command (→) and of the response (←). The column *sessions* shows "
        "whether the command can have sessions (TPM_ST_SESSIONS).",
        "",
        "| command | code | section | handles | encryption | sessions |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(kind) for kind in sorted(declared, key=_place)]
    missing = [code.name for code, kind in commands if kind is None]
    lines += ["", f"Not declared: {', '.join(missing) or 'none'}.", "", "## Types of Part 2", ""]
    lines += ["| section | declared | aliases | no declaration |", "|---|---|---|---|"]
    for section, names in wanted.items():
        absent = ", ".join(name for name in names if name not in have and name not in OTHER_NAMES) or "none"
        others = sum(name in OTHER_NAMES for name in names)
        lines.append(
            f"| {section} | {sum(name in have for name in names)} of {len(names)} | {others} | {absent} |"
        )
    lines += ["", "Names that need no declaration:", ""]
    lines += [f"- {name}: {why}." for name, why in UNDECLARED.items() if name not in have]
    lines += ["", "Other names of declared types:", ""]
    lines += [f"- {real}: {', '.join(names.split())}." for real, names in SAME.items()]
    beside = sorted(
        name for name in have - set(every) if name.startswith(("TPMS", "TPMT", "TPMU", "TPM2B", "TPML"))
    )
    lines += ["", f"Declared in addition: {', '.join(beside) or 'none'}."]
    return "\n".join(lines) + "\n"


def _place(kind: type[Command]) -> tuple[int, ...]:
    """Returns the section of a command in Part 3 as numbers, for sorting."""
    return tuple(int(part) if part.isdecimal() else 0 for part in kind.spec.rpartition("§")[2].split("."))


def _version_row(version: str, have: set[str]) -> str:
    """Returns the table row of a version: its command codes and types, and how many of them are declared."""
    limits = [0, *VERSIONS.values()]
    first, last = limits[list(VERSIONS).index(version)], VERSIONS[version]
    # The code of the TCG's test command is a vendor's, and older than those limits.
    codes = [code for code in TPM_CC if first < code <= last or (first == 0 and code > max(limits))]
    names = [
        name
        for section, names in PART_2.items()
        for name in names.split()
        if (section if section in VERSIONS else "1.59") == version
    ]
    declared, others = sum(name in have for name in names), sum(name in OTHER_NAMES for name in names)
    cells = [len(codes), sum(command_class(code) is not None for code in codes), len(names), declared, others]
    return f"| {version} | {' | '.join(map(str, [*cells, len(names) - declared - others]))} |"


def _row(kind: type[Command]) -> str:
    roles = (role_of(annotation) for _, annotation in kind.fields())
    handles = ", ".join(role.name for role in roles if role is not None) or "none"
    ways = ("→" if first_parameter(kind) else "") + ("←" if first_parameter(kind.Response) else "")
    cells = [f"TPM2_{kind.code.name}", f"0x{int(kind.code):x}", kind.spec, handles, ways]
    return f"| {' | '.join([*cells, 'yes' if kind.sessions else 'no'])} |"


def main() -> int:
    """Writes docs/coverage.md, or prints whether it is out of date; returns the exit code."""
    text = page()
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/coverage.md is out of date; run python tools/coverage.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
