"""TPMs with EK certificates, as a maker would deliver them: swtpm_setup with a local CA of its own.

Everything is in the directory that is given; the network and the home directory are not touched.
"""

import datetime
import shutil
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tpmwire.spec.commands.nv import NV_DefineSpace, NV_Write
from tpmwire.spec.constants import TPM_ALG, TPM_RH, TPMA_NV
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.tpm import Tpm

EK_USAGE = x509.ObjectIdentifier("2.23.133.8.1")
TPM_MANUFACTURER = x509.ObjectIdentifier("2.23.133.2.1")
DAY = datetime.timedelta(days=1)


class Maker:
    """A maker of TPMs: a root CA and an issuing CA (RSA 3072), and a factory.

    `root` and `issuer` are PEM files, there after the first `manufacture()`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = directory / "ca"
        self._ca.mkdir(parents=True)
        self.root = self._ca / "swtpm-localca-rootca-cert.pem"
        self.issuer = self._ca / "issuercert.pem"
        tool, options, localca = (directory / name for name in ("setup.conf", "options", "localca.conf"))
        self._config = tool
        tool.write_text(
            f"create_certs_tool = {shutil.which('swtpm_localca')}\n"
            f"create_certs_tool_config = {localca}\n"
            f"create_certs_tool_options = {options}\n"
        )
        options.write_text("--platform-manufacturer Test --platform-version 1 --platform-model swtpm\n")
        localca.write_text(
            f"statedir = {self._ca}\n"
            f"signingkey = {self._ca / 'signkey.pem'}\n"
            f"issuercert = {self.issuer}\n"
            f"certserial = {self._ca / 'certserial'}\n"
        )

    def manufacture(self, name: str) -> Path:
        """The state directory of a new TPM: RSA 2048 (L-1) and P-384 (H-3) EKs with their certificates in NV."""
        state = self._directory / name
        state.mkdir()
        done = subprocess.run(
            ["swtpm_setup", "--tpm2", "--tpmstate", state, "--create-ek-cert", "--create-platform-cert",
             "--lock-nvram", "--config", self._config, "--vmid", name, "--overwrite"],
            check=False, capture_output=True, timeout=120,
        )  # fmt: skip
        assert not done.returncode, done.stdout.decode() + done.stderr.decode()
        return state

    def certify(
        self,
        key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
        *,
        subject: str | None = None,
        days: tuple[int, int] = (-1, 1),
        usage: x509.ObjectIdentifier | None = EK_USAGE,
    ) -> bytes:
        """An EK certificate in DER that the issuing CA signs; `days` from now are the limits of its validity.

        Without a `subject` it is empty, as the profile allows, and the subjectAltName is critical.
        """
        issuer = x509.load_pem_x509_certificate(self.issuer.read_bytes())
        signer = serialization.load_pem_private_key((self._ca / "signkey.pem").read_bytes(), None)
        assert isinstance(signer, rsa.RSAPrivateKey)
        now = datetime.datetime.now(datetime.UTC)
        named = [] if subject is None else [x509.NameAttribute(NameOID.COMMON_NAME, subject)]
        tpm = x509.DirectoryName(x509.Name([x509.NameAttribute(TPM_MANUFACTURER, "id:54455354")]))
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(named))
            .issuer_name(issuer.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.SubjectAlternativeName([tpm]), critical=not named)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(authority, critical=False)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


READABLE = TPMA_NV.OWNERWRITE | TPMA_NV.OWNERREAD | TPMA_NV.AUTHREAD | TPMA_NV.NO_DA


def write_nv(path: str, index: int, data: bytes) -> None:
    """Defines an NV index that everybody can read, and writes data into it."""
    with Tpm.open(path, 30) as tpm:
        public = TPMS_NV_PUBLIC(index, TPM_ALG.SHA256, READABLE, b"", len(data))
        tpm.execute(NV_DefineSpace(TPM_RH.OWNER, b"", public))
        for offset in range(0, len(data), 512):
            tpm.execute(NV_Write(TPM_RH.OWNER, index, data[offset : offset + 512], offset))
