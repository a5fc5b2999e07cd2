"""SigV4A for boto3 without awscrt; a function signs, for example by ECDSA with a key in a TPM.

S3's multi-region access points and `auth_scheme_preference = sigv4a` require SigV4A. Needs the extra `aws`
(boto3), and `cryptography` for keys in memory.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import boto3
import botocore.auth

from .boto import _SignerAuth, _SignerCredentials
from .errors import RequestError
from .sigv4a import ALGORITHM, private_key, sign_digest_with

__all__ = ["add_sigv4a"]


def add_sigv4a(session: boto3.Session, sign_digest: Callable[[bytes], bytes]) -> boto3.Session:
    """Enables SigV4A in a session of `boto.session`, and returns the session.

    `sign_digest` is the argument of Sigv4aSigner. It is called once per request, possibly from several threads;
    its errors pass through the boto3 call. botocore decides which requests use SigV4A, and for which regions.
    Without awscrt, this function enables SigV4A in the whole process, including sessions with keys in memory.
    EventBridge's EndpointId still requires awscrt. Raises RequestError for a session that `boto.session` did not
    create.
    """
    core = session._session
    credentials = core._credentials
    if not isinstance(credentials, _SignerCredentials):
        raise RequestError("this session has its own secret key; create the session with sigv4.boto.session()")
    for version, auth in _PLAIN_AUTHS.items():
        botocore.auth.AUTH_TYPE_MAPS.setdefault(version, auth)
    credentials.asymmetric = True
    create_client = core.create_client

    def create_signing_client(*args: Any, **kwargs: Any) -> Any:
        client = create_client(*args, **kwargs)
        _use_signer_auths(client._request_signer, credentials, sign_digest)
        return client

    core.create_client = create_signing_client
    return session


def _use_signer_auths(
    request_signer: Any, credentials: _SignerCredentials, sign_digest: Callable[[bytes], bytes]
) -> None:
    """Makes a client's request signer use this module's auth classes for SigV4A with `credentials`."""
    original = request_signer.get_auth_instance

    def get_auth_instance(
        signing_name: str,
        region_name: str,
        signature_version: str | None = None,
        request_credentials: Any = None,
        **options: Any,
    ) -> Any:
        version = signature_version or request_signer.signature_version
        if version in _SIGNER_AUTHS and (request_credentials or request_signer._credentials) is credentials:
            auth = _SIGNER_AUTHS[version](credentials, signing_name, region_name, **options)
            auth.sign_digest = sign_digest
            return auth
        return original(signing_name, region_name, signature_version, request_credentials, **options)

    request_signer.get_auth_instance = request_signer.get_auth = get_auth_instance


class _Asymmetric:
    """A mixin for botocore's auth classes that adds SigV4A's algorithm, scope and region set."""

    credentials: Any
    sign_digest: Callable[[bytes], bytes]
    _region_name: str
    _service_name: str

    def scope(self, request: Any) -> str:
        return f"{self.credentials.access_key}/{self.credential_scope(request)}"

    def credential_scope(self, request: Any) -> str:
        return f"{request.context['timestamp'][:8]}/{self._service_name}/aws4_request"

    def string_to_sign(self, request: Any, canonical_request: str) -> str:
        digest = sha256(canonical_request.encode("utf-8")).hexdigest()
        return "\n".join((ALGORITHM, request.context["timestamp"], self.credential_scope(request), digest))

    def signature(self, string_to_sign: str, _request: Any) -> str:
        return self.sign_digest(sha256(string_to_sign.encode("utf-8")).digest()).hex()


class _InHeader(_Asymmetric):
    def _modify_request_before_signing(self, request: Any) -> None:
        super()._modify_request_before_signing(request)  # type: ignore[misc]
        # In a retry, the request already has the header.
        del request.headers["X-Amz-Region-Set"]
        request.headers["X-Amz-Region-Set"] = self._region_name

    def _inject_signature_to_request(self, request: Any, signature: str) -> Any:
        super()._inject_signature_to_request(request, signature)  # type: ignore[misc]
        value = request.headers["Authorization"]
        del request.headers["Authorization"]
        request.headers["Authorization"] = f"{ALGORITHM} {value.partition(' ')[2]}"
        return request


class _InQuery(_Asymmetric):
    def _modify_request_before_signing(self, request: Any) -> None:
        super()._modify_request_before_signing(request)  # type: ignore[misc]
        url = request.url.replace("X-Amz-Algorithm=AWS4-HMAC-SHA256", f"X-Amz-Algorithm={ALGORITHM}")
        request.url = f"{url}&X-Amz-Region-Set={quote(self._region_name, safe='')}"


class _Plain:
    """A mixin for auth classes that signs with the P-256 key derived from a secret key in memory."""

    credentials: Any

    def sign_digest(self, digest: bytes) -> bytes:
        return sign_digest_with(private_key(self.credentials.access_key, self.credentials.secret_key))(digest)


_BASES = (
    ("v4a", _InHeader, botocore.auth.SigV4Auth),
    ("v4a-query", _InQuery, botocore.auth.SigV4QueryAuth),
    ("s3v4a", _InHeader, botocore.auth.S3SigV4Auth),
    ("s3v4a-query", _InQuery, botocore.auth.S3SigV4QueryAuth),
)
_SIGNER_AUTHS: dict[str, Any] = {
    version: type(f"SignerAsymmetric{base.__name__}", (where, _SignerAuth, base), {})
    for version, where, base in _BASES
}
_PLAIN_AUTHS: dict[str, Any] = {
    version: type(f"Asymmetric{base.__name__}", (_Plain, where, base), {}) for version, where, base in _BASES
}
