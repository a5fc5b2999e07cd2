"""What a salt costs a whole process, by Python's integers and by `cryptography`: `python -m tests.bench.salt`.

CPU milliseconds over those of a process that imports the same and seals nothing, run right before it: the median
of many such pairs, since the machine's other programs slow down both of a pair alike.
"""

import os
import resource
import subprocess
import sys
from statistics import median

from cryptography.hazmat.primitives.asymmetric import rsa

from tpmwire.crypto.pure.curves import P256, P384, P521, Curve
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SYM_DEF_OBJECT,
)

RUNS = int(os.environ.get("BENCH_RUNS", "41"))
AES = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB)

# What a credential run has imported anyway by the time it seals a salt, or imports soon after.
BASE = """
import ssl, http.client, tpmwire.channel, tpmwire.crypto.salt as s
from tpmwire.spec.structures import TPMT_PUBLIC
"""
KEY = "p = TPMT_PUBLIC.parse(bytes.fromhex({public!r}))\n"
SEAL = "s.seal_secret(p)\n"
IN_PYTHON = "s.agree = lambda curve, static: s.agree_in_python(s.CURVES[curve], static)\n"
BY_CRYPTOGRAPHY = "s.agree = s.agree_by_cryptography\n"
OAEP = """
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
key = rsa.RSAPublicNumbers(65537, int.from_bytes(p.unique, "big")).public_key()
key.encrypt(bytes(32), padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"SECRET\\0"))
"""
CFB = "from tpmwire.crypto.aes import cfb; cfb(bytes(16), bytes(16), bytes(32), True)\n"


def ecc(curve_id: TPM_ECC, curve: Curve, name_alg: TPM_ALG) -> str:
    scheme, kdf = TPMT_ECC_SCHEME(TPM_ALG.NULL), TPMT_KDF_SCHEME(TPM_ALG.NULL)
    x, y = (number.to_bytes(curve.size, "big") for number in curve.multiply(curve.random_scalar(), curve.g))
    parameters = TPMS_ECC_PARMS(AES, scheme, curve_id, kdf)
    public = TPMT_PUBLIC(TPM_ALG.ECC, name_alg, TPMA_OBJECT.DECRYPT, b"", parameters, TPMS_ECC_POINT(x, y))
    return KEY.format(public=public.build().hex())


def rsa_2048() -> str:
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    parameters = TPMS_RSA_PARMS(AES, TPMT_RSA_SCHEME(TPM_ALG.NULL), 2048)
    unique = modulus.to_bytes(256, "big")
    public = TPMT_PUBLIC(TPM_ALG.RSA, TPM_ALG.SHA256, TPMA_OBJECT.DECRYPT, b"", parameters, unique)
    return KEY.format(public=public.build().hex())


def milliseconds(code: str) -> float:
    """CPU time of a Python process that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # -S leaves out what the machine's site-packages run at every start.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-S", "-c", code], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Prints the table."""
    keys = {
        "RSA 2048": (rsa_2048(), SEAL, OAEP),
        "P-256": (ecc(TPM_ECC.NIST_P256, P256, TPM_ALG.SHA256), IN_PYTHON + SEAL, BY_CRYPTOGRAPHY + SEAL),
        "P-384": (ecc(TPM_ECC.NIST_P384, P384, TPM_ALG.SHA384), IN_PYTHON + SEAL, BY_CRYPTOGRAPHY + SEAL),
        "P-521": (ecc(TPM_ECC.NIST_P521, P521, TPM_ALG.SHA512), IN_PYTHON + SEAL, BY_CRYPTOGRAPHY + SEAL),
    }
    codes = {("AES-CFB", "cryptography"): BASE + CFB}
    for name, (key, ours, theirs) in keys.items():
        codes[name, "Python"] = BASE + key + ours
        codes[name, "cryptography"] = BASE + key + theirs
    alone: list[float] = []
    over: dict[tuple[str, str], list[float]] = {case: [] for case in codes}
    for _ in range(RUNS):
        for case, code in codes.items():
            alone.append(milliseconds(BASE))
            over[case].append(milliseconds(code) - alone[-1])
    cost = {case: median(values) for case, values in over.items()}
    print(f"a process that seals nothing: {median(alone):.0f} ms of CPU; on top of that, ms:")
    print(f"{'salt key':10}{'Python':>10}{'cryptography':>15}")
    for name in keys:
        print(f"{name:10}{cost[name, 'Python']:10.1f}{cost[name, 'cryptography']:15.1f}")
    print(f"{'(AES-CFB)':10}{'-':>10}{cost['AES-CFB', 'cryptography']:15.1f}")


if __name__ == "__main__":
    main()
