"""Signs AWS requests with Signature Version 4, and calls STS and IAM. The signing key is an HMAC function.

>>> import sigv4
>>> hmac = sigv4.hmac_from_secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
>>> signer = sigv4.Signer("AKIAIOSFODNN7EXAMPLE", hmac)
>>> request = sigv4.Request("GET", "https://dynamodb.eu-central-1.amazonaws.com/")
>>> signed = signer.sign(request, "eu-central-1", "dynamodb", 1764547200.0)
>>> dict(signed.headers)["X-Amz-Date"]
'20251201T000000Z'
>>> sts = sigv4.StsClient(signer, sigv4.resolve("eu-central-1"), sigv4.HttpClient(timeout=2))

`sts.call(sigv4.GetCallerIdentity()).arn` then returns the caller's ARN.

The names of `__all__`, `sigv4.boto` and `sigv4.boto_v4a` are public. Other modules may change in any version.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .client import StsClient as StsClient
    from .endpoints import Endpoint as Endpoint
    from .endpoints import resolve as resolve
    from .errors import NetworkError as NetworkError
    from .errors import NoErrorDocumentError as NoErrorDocumentError
    from .errors import RequestError as RequestError
    from .errors import ResponseError as ResponseError
    from .errors import SigV4Error as SigV4Error
    from .errors import StsError as StsError
    from .http import HttpClient as HttpClient
    from .http import Response as Response
    from .request import Request as Request
    from .signer import Signer as Signer
    from .signer import hmac_from_secret as hmac_from_secret
    from .sigv4a import Sigv4aSigner as Sigv4aSigner
    from .sigv4a import der_signature as der_signature
    from .sts import AssumeRole as AssumeRole
    from .sts import AssumeRoot as AssumeRoot
    from .sts import CallerIdentity as CallerIdentity
    from .sts import Credentials as Credentials
    from .sts import DecodeAuthorizationMessage as DecodeAuthorizationMessage
    from .sts import GetAccessKeyInfo as GetAccessKeyInfo
    from .sts import GetCallerIdentity as GetCallerIdentity
    from .sts import GetDelegatedAccessToken as GetDelegatedAccessToken
    from .sts import GetFederationToken as GetFederationToken
    from .sts import GetSessionToken as GetSessionToken
    from .sts import GetWebIdentityToken as GetWebIdentityToken
    from .sts import WebIdentityToken as WebIdentityToken

_NAMES = {
    "client": ("StsClient",),
    "endpoints": ("Endpoint", "resolve"),
    "errors": ("NetworkError", "NoErrorDocumentError", "RequestError", "ResponseError", "SigV4Error", "StsError"),
    "http": ("HttpClient", "Response"),
    "request": ("Request",),
    "signer": ("Signer", "hmac_from_secret"),
    "sigv4a": ("Sigv4aSigner", "der_signature"),
    "sts": (
        "AssumeRole",
        "AssumeRoot",
        "CallerIdentity",
        "Credentials",
        "DecodeAuthorizationMessage",
        "GetAccessKeyInfo",
        "GetCallerIdentity",
        "GetDelegatedAccessToken",
        "GetFederationToken",
        "GetSessionToken",
        "GetWebIdentityToken",
        "WebIdentityToken",
    ),
}

__all__ = [name for names in _NAMES.values() for name in names]


def __getattr__(name: str) -> object:
    from importlib import import_module  # late: every run imports this module

    for module, names in _NAMES.items():
        if name in names:
            value = getattr(import_module(f".{module}", __name__), name)
            setattr(sys.modules[__name__], name, value)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
