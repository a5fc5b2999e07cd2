"""SigV4A for boto3, with a key that somebody else holds, and without awscrt.

S3's multi-region access points want it, and whoever sets `auth_scheme_preference = sigv4a`. Needs the extra `aws`
(boto3), and `cryptography` for keys that are in memory.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import boto3
import botocore.auth

from .boto import _Held, _HeldCredentials
from .errors import RequestError
from .sigv4a import ALGORITHM, private_key, sign_digest_with

__all__ = ["add_sigv4a"]


def add_sigv4a(session: boto3.Session, sign_digest: Callable[[bytes], bytes]) -> boto3.Session:
    """Lets a session of `boto.session` sign by SigV4A too; returns it.

    `sign_digest` is what Sigv4aSigner describes; it is called once per request, maybe from several threads, and
    what it raises comes out of the boto3 call at hand. botocore decides which requests are signed so, and for
    which set of regions; from now on it takes SigV4A for something that it knows, in the whole process, where it
    has no awscrt: sessions with plain keys then sign here. EventBridge's EndpointId wants awscrt all the same.
    Raises RequestError for a session that is not of `boto.session`.
    """
    core = session._session
    held = core._credentials
    if not isinstance(held, _HeldCredentials):
        raise RequestError(
            "this session's key is in its own hands; SigV4A is added to those of sigv4.boto.session"
        )
    for version, auth in _PLAIN.items():
        botocore.auth.AUTH_TYPE_MAPS.setdefault(version, auth)
    held.asymmetric = True
    create_client = core.create_client

    def create_asymmetric_client(*args: Any, **kwargs: Any) -> Any:
        client = create_client(*args, **kwargs)
        _hold(client._request_signer, held, sign_digest)
        return client

    core.create_client = create_asymmetric_client
    return session


def _hold(request_signer: Any, held: _HeldCredentials, sign_digest: Callable[[bytes], bytes]) -> None:
    """Makes a client's request signer take the session's credentials to the classes below."""
    otherwise = request_signer.get_auth_instance

    def get_auth_instance(
        signing_name: str,
        region_name: str,
        signature_version: str | None = None,
        request_credentials: Any = None,
        **options: Any,
    ) -> Any:
        version = signature_version or request_signer.signature_version
        if version in _HELD and (request_credentials or request_signer._credentials) is held:
            auth = _HELD[version](held, signing_name, region_name, **options)
            auth.sign_digest = sign_digest
            return auth
        return otherwise(signing_name, region_name, signature_version, request_credentials, **options)

    request_signer.get_auth_instance = request_signer.get_auth = get_auth_instance


class _Asymmetric:
    """Before one of botocore's auth classes: SigV4A's algorithm, scope and field. Its region is a set of them."""

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
        # A retry has them already.
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
    """The key of credentials that are in memory."""

    credentials: Any

    def sign_digest(self, digest: bytes) -> bytes:
        return sign_digest_with(private_key(self.credentials.access_key, self.credentials.secret_key))(digest)


_BASES = (
    ("v4a", _InHeader, botocore.auth.SigV4Auth),
    ("v4a-query", _InQuery, botocore.auth.SigV4QueryAuth),
    ("s3v4a", _InHeader, botocore.auth.S3SigV4Auth),
    ("s3v4a-query", _InQuery, botocore.auth.S3SigV4QueryAuth),
)
_HELD: dict[str, Any] = {
    version: type(f"HeldAsymmetric{base.__name__}", (where, _Held, base), {}) for version, where, base in _BASES
}
_PLAIN: dict[str, Any] = {
    version: type(f"Asymmetric{base.__name__}", (_Plain, where, base), {}) for version, where, base in _BASES
}
