"""TPM 2.0 Part 3, §14: asymmetric primitives."""

from typing import Annotated

from ...record import NO_BYTES, SECRET, Buffer, Record, declare
from ...wires import Sized
from ..command import HANDLE, USER, Command
from ..constants import TPM_CC
from ..structures import (
    TPM2B_DATA,
    TPM2B_DIGEST,
    TPM2B_ECC_POINT,
    TPM2B_KEM_CIPHERTEXT,
    TPM2B_MAX_BUFFER,
    TPM2B_PUBLIC_KEY_RSA,
    TPM2B_SHARED_SECRET,
    TPM_ECC_CURVE,
    TPMI_DH_OBJECT,
    TPMI_ECC_KEY_EXCHANGE,
    TPMS_ALGORITHM_DETAIL_ECC,
    TPMT_KDF_SCHEME,
    TPMT_RSA_DECRYPT,
    UINT16,
)

MESSAGE = Annotated[Buffer, Sized(512), SECRET]
"""A TPM2B_PUBLIC_KEY_RSA that contains a plaintext, which is secret."""


class RSA_Encrypt(Command, code=TPM_CC.RSA_Encrypt, spec="Part 3 §14.2"):
    """Encrypts with an RSA public key."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    message: MESSAGE
    in_scheme: TPMT_RSA_DECRYPT
    label: TPM2B_DATA = NO_BYTES

    class Response(Record):
        out_data: TPM2B_PUBLIC_KEY_RSA


class RSA_Decrypt(Command, code=TPM_CC.RSA_Decrypt, spec="Part 3 §14.3"):
    """Decrypts with an RSA private key in the TPM."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    cipher_text: TPM2B_PUBLIC_KEY_RSA
    in_scheme: TPMT_RSA_DECRYPT
    label: TPM2B_DATA = NO_BYTES

    class Response(Record):
        message: MESSAGE


class ECDH_KeyGen(Command, code=TPM_CC.ECDH_KeyGen, spec="Part 3 §14.4"):
    """Creates an ephemeral key pair for ECDH with a key. Returns its public point and the shared point."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]

    class Response(Record):
        z_point: TPM2B_ECC_POINT
        pub_point: TPM2B_ECC_POINT


class ECDH_ZGen(Command, code=TPM_CC.ECDH_ZGen, spec="Part 3 §14.5"):
    """Returns the point that a private key in the TPM shares with a public point."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    in_point: TPM2B_ECC_POINT

    class Response(Record):
        out_point: TPM2B_ECC_POINT


class ECC_Parameters(Command, code=TPM_CC.ECC_Parameters, spec="Part 3 §14.6"):
    """Returns the parameters of a curve."""

    curve_id: TPM_ECC_CURVE

    class Response(Record):
        parameters: TPMS_ALGORITHM_DETAIL_ECC


class ZGen_2Phase(Command, code=TPM_CC.ZGen_2Phase, spec="Part 3 §14.7"):
    """Completes a two-phase exchange that TPM2_EC_Ephemeral started."""

    key_a: Annotated[TPMI_DH_OBJECT, USER]
    in_qs_b: TPM2B_ECC_POINT
    in_qe_b: TPM2B_ECC_POINT
    in_scheme: TPMI_ECC_KEY_EXCHANGE
    counter: UINT16

    class Response(Record):
        out_z1: TPM2B_ECC_POINT
        out_z2: TPM2B_ECC_POINT


class ECC_Encrypt(Command, code=TPM_CC.ECC_Encrypt, spec="Part 3 §14.8"):
    """Encrypts with an ECC public key."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]
    plain_text: Annotated[bytes, Sized(), SECRET]
    in_scheme: TPMT_KDF_SCHEME

    class Response(Record):
        c1: TPM2B_ECC_POINT
        c2: TPM2B_MAX_BUFFER
        c3: TPM2B_DIGEST


class ECC_Decrypt(Command, code=TPM_CC.ECC_Decrypt, spec="Part 3 §14.9"):
    """Decrypts with an ECC private key in the TPM."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    c1: TPM2B_ECC_POINT
    c2: TPM2B_MAX_BUFFER
    c3: TPM2B_DIGEST
    in_scheme: TPMT_KDF_SCHEME

    class Response(Record):
        plain_text: Annotated[bytes, Sized(), SECRET]


class Encapsulate(Command, code=TPM_CC.Encapsulate, spec="Part 3 §14.10"):
    """Creates a secret that is shared with the owner of an ML-KEM or ECC key, and the secret's ciphertext."""

    key_handle: Annotated[TPMI_DH_OBJECT, HANDLE]

    class Response(Record):
        shared_secret: Annotated[TPM2B_SHARED_SECRET, SECRET]
        ciphertext: TPM2B_KEM_CIPHERTEXT


class Decapsulate(Command, code=TPM_CC.Decapsulate, spec="Part 3 §14.11"):
    """Returns the shared secret in a ciphertext that was created for a key in the TPM."""

    key_handle: Annotated[TPMI_DH_OBJECT, USER]
    ciphertext: TPM2B_KEM_CIPHERTEXT

    class Response(Record):
        shared_secret: Annotated[TPM2B_SHARED_SECRET, SECRET]


declare(globals())
