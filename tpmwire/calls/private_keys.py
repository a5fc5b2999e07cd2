"""TPM-backed private keys for the package `cryptography`, which signs certificates and requests with them.

    key = tpmwire.calls.private_key(tpm, loaded)
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())

The classes implement the private key interfaces of `cryptography`. The `Tpm` must be open whenever a key is used.
"""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Never, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from ..crypto.formulas import digest as digest_of
from ..errors import EncodeError
from ..keys.bridges import signature_to_der, to_cryptography
from ..keys.template_names import parse_hash
from ..sessions import Password, Use
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..spec.structures import TPMS_SCHEME_HASH, TPMT_PUBLIC, TPMT_SIG_SCHEME
from ..tpm import Tpm
from .arguments import NOBODY, Item, public_of
from .encryption import ecdh, rsa_decrypt
from .signatures import sign, sign_message

__all__ = ["Authorization", "EccPrivateKey", "RsaPrivateKey", "TpmKey"]

Authorization = Password | Use | Callable[[], AbstractContextManager[Use]]
"""The authorization of each use: a password, an HMAC session, or a function that satisfies the key's policy."""

K = TypeVar("K", bound="TpmKey")


class TpmKey:
    """Base class of TPM-backed private keys: the open TPM, the key, its public area and its authorization.

    `by` may be a function such as `lambda: calls.satisfy_policy(tpm, policy)`, which is called for each use.
    """

    def __init__(self, tpm: Tpm, key: Item, *, by: Authorization = NOBODY) -> None:
        self.tpm = tpm
        self.key = key
        self.public: TPMT_PUBLIC = public_of(tpm, key)
        self._by = by
        self._public_key = to_cryptography(self.public)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._public_key.key_size} bits, {self._describe_key()}>"

    def _describe_key(self) -> str:
        return f"0x{self.key:08x}" if isinstance(self.key, int) else type(self.key).__name__

    def __copy__(self: K) -> K:
        return self

    def __deepcopy__(self: K, memo: object) -> K:
        return self

    @property
    def key_size(self) -> int:
        """The size of the key in bits."""
        return self._public_key.key_size

    def private_bytes(self, *_: Any, **__: Any) -> Never:
        """Always raises UnsupportedAlgorithm, because the TPM never releases a private key."""
        raise UnsupportedAlgorithm(
            "the private key is in the TPM, which never releases it; store the key's file or handle instead"
        )

    def private_numbers(self) -> Never:
        """Always raises UnsupportedAlgorithm, because the TPM never releases a private key."""
        self.private_bytes()

    def _authorize(self) -> AbstractContextManager[Password | Use]:
        return contextlib.nullcontext(self._by) if isinstance(self._by, Password | Use) else self._by()

    def _sign(self, data: bytes, scheme: TPM_ALG, algorithm: Any) -> bytes:
        """Returns the signature of `data` in the format of `cryptography`.

        `data` is a digest if `algorithm` is Prehashed.
        """
        hash_alg, prehashed = _hash_of(algorithm)
        chosen = TPMT_SIG_SCHEME(scheme, TPMS_SCHEME_HASH(hash_alg))
        with self._authorize() as by:
            if self.public.object_attributes & TPMA_OBJECT.RESTRICTED and not prehashed:
                signature = sign_message(self.tpm, self.key, data, chosen, by=by)
            else:
                digest = data if prehashed else digest_of(hash_alg, data)
                signature = sign(self.tpm, self.key, digest, chosen, by=by)
        return signature_to_der(signature)


class EccPrivateKey(TpmKey, ec.EllipticCurvePrivateKey):
    """A TPM-backed ECC private key, for ECDSA and ECDH. Raises TypeError for another type of key."""

    _public_key: ec.EllipticCurvePublicKey

    def __init__(self, tpm: Tpm, key: Item, *, by: Authorization = NOBODY) -> None:
        super().__init__(tpm, key, by=by)
        if not isinstance(self._public_key, ec.EllipticCurvePublicKey):
            raise TypeError(f"expected an ECC key, got {self.public.type.name}; use RsaPrivateKey")

    @property
    def curve(self) -> ec.EllipticCurve:
        """The key's curve."""
        return self._public_key.curve

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Returns the public key, an object of `cryptography` that does not use the TPM."""
        return self._public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Returns an ECDSA signature in DER. Raises UnsupportedAlgorithm for deterministic signatures.

        The TPM must support the hash. If the key has a scheme with a hash, only that hash is allowed.
        """
        if getattr(signature_algorithm, "deterministic_signing", False):
            raise UnsupportedAlgorithm("a TPM does not sign deterministically; omit deterministic_signing")
        return self._sign(bytes(data), TPM_ALG.ECDSA, signature_algorithm.algorithm)

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """Returns the secret shared with a peer's public key. Raises ValueError for a key on another curve."""
        if peer_public_key.curve.name != self.curve.name:
            raise ValueError(f"the peer's key is on {peer_public_key.curve.name}, this key on {self.curve.name}")
        with self._authorize() as by:
            return ecdh(self.tpm, self.key, peer_public_key, by=by)


class RsaPrivateKey(TpmKey, rsa.RSAPrivateKey):
    """A TPM-backed RSA private key, for signatures and decryption. Raises TypeError for another type of key."""

    _public_key: rsa.RSAPublicKey

    def __init__(self, tpm: Tpm, key: Item, *, by: Authorization = NOBODY) -> None:
        super().__init__(tpm, key, by=by)
        if not isinstance(self._public_key, rsa.RSAPublicKey):
            raise TypeError(f"expected an RSA key, got {self.public.type.name}; use EccPrivateKey")

    def public_key(self) -> rsa.RSAPublicKey:
        """Returns the public key, an object of `cryptography` that does not use the TPM."""
        return self._public_key

    def sign(self, data: Any, padding: padding.AsymmetricPadding, algorithm: Any) -> bytes:
        """Returns an RSA signature with PKCS1v15 or PSS padding.

        The TPM chooses the salt length of PSS. Raises UnsupportedAlgorithm if `padding` requires a different salt
        length, or is another padding.
        """
        if padding.name == "EMSA-PKCS1-v1_5":
            return self._sign(bytes(data), TPM_ALG.RSASSA, algorithm)
        if padding.name != "EMSA-PSS":
            raise UnsupportedAlgorithm(f"the TPM does not sign with {padding.name}; use PKCS1v15 or PSS")
        return self._sign_pss(bytes(data), padding, algorithm)

    def _sign_pss(self, data: bytes, pss: Any, algorithm: Any) -> bytes:
        hash_alg, _ = _hash_of(algorithm)
        if _hash_of(pss._mgf._algorithm)[0] != hash_alg:
            raise UnsupportedAlgorithm("the TPM needs the same hash for PSS and MGF1")
        signature = self._sign(data, TPM_ALG.RSAPSS, algorithm)
        # The requested length of the salt is part of certificates, so that another length would be invalid.
        wanted = padding.PSS(pss._mgf, _salt_length(pss, self._public_key, algorithm))
        try:
            self._public_key.verify(signature, data, wanted, algorithm)
        except InvalidSignature:
            raise UnsupportedAlgorithm(
                "this TPM uses a different PSS salt length; use PSS.DIGEST_LENGTH, PSS.MAX_LENGTH or PKCS1v15"
            ) from None
        return signature

    def decrypt(self, ciphertext: bytes, padding: padding.AsymmetricPadding) -> bytes:
        """Returns the plaintext of an RSA ciphertext with OAEP or PKCS1v15 padding.

        MGF1 must use the hash of OAEP. A label must be text that ends with a zero byte. Raises
        UnsupportedAlgorithm for OAEP parameters that the TPM does not support.
        """
        scheme, label = _oaep_of(padding) if padding.name == "EME-OAEP" else ("rsaes", "")
        with self._authorize() as by:
            return rsa_decrypt(self.tpm, self.key, ciphertext, scheme, label, by=by)


def _hash_of(algorithm: Any) -> tuple[TPM_ALG, bool]:
    """Returns (hash algorithm identifier of the TPM, whether the `cryptography` hash is Prehashed)."""
    prehashed = isinstance(algorithm, utils.Prehashed)
    inner = algorithm._algorithm if prehashed else algorithm
    try:
        return parse_hash(inner.name.replace("-", "_")), prehashed
    except (EncodeError, AttributeError):
        raise UnsupportedAlgorithm(f"the TPM does not support hash {getattr(inner, 'name', inner)!r}") from None


def _salt_length(pss: Any, key: rsa.RSAPublicKey, algorithm: Any) -> Any:
    """Returns the salt length in bytes that a PSS padding requires, or PSS.AUTO if it accepts any length."""
    length, kinds = pss._salt_length, padding.PSS
    inner = algorithm._algorithm if isinstance(algorithm, utils.Prehashed) else algorithm
    if length is kinds.MAX_LENGTH:
        return padding.calculate_max_pss_salt_length(key, inner)
    return inner.digest_size if length is getattr(kinds, "DIGEST_LENGTH", None) else length


def _oaep_of(oaep: Any) -> tuple[str, str]:
    """Returns (tpmwire's name of an OAEP padding, OAEP label without the final zero byte)."""
    hash_alg, label = _hash_of(oaep._algorithm)[0], oaep._label or b""
    if _hash_of(oaep._mgf._algorithm)[0] != hash_alg:
        raise UnsupportedAlgorithm("the TPM needs the same hash for OAEP and MGF1")
    if label and (label[-1:] != b"\0" or not label.isascii()):
        raise UnsupportedAlgorithm("a TPM's OAEP label is ASCII text that ends with a zero byte")
    return f"oaep-{hash_alg.name.lower()}", label[:-1].decode()
