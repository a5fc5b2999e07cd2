"""moto's server with the STS operations that it lacks.

moto verifies each request before it looks for its operation, and writes the answer by AWS's own model; here is
only what they say. AssumeRoot and GetDelegatedAccessToken give sample keys, as moto's GetSessionToken does.
"""

import base64
import datetime
import json

from moto.core.responses import ActionResult
from moto.server import main
from moto.sts.responses import TokenResponse


def _credentials(seconds: int) -> dict[str, object]:
    expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return {
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY",
        "SessionToken": "made//up+token=",
        "Expiration": expiration,
    }


def _assume_root(self: TokenResponse) -> ActionResult:
    seconds = self._get_int_param("DurationSeconds", 900)
    return ActionResult({"Credentials": _credentials(seconds), "SourceIdentity": ""})


def _get_delegated_access_token(self: TokenResponse) -> ActionResult:
    principal = f"arn:aws:iam::{self.current_account}:role/delegated"
    return ActionResult({"Credentials": _credentials(3600), "PackedPolicySize": 1, "AssumedPrincipal": principal})


def _get_web_identity_token(self: TokenResponse) -> ActionResult:
    """A JWT in form, with what was asked for as its claims; signed by nobody."""
    seconds = self._get_int_param("DurationSeconds", 300)
    expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    header = {"alg": self._get_param("SigningAlgorithm"), "typ": "JWT"}
    claims = {
        "aud": self._get_param("Audience"),
        "sub": self.backend.get_caller_identity(self.get_access_key(), self.region)[1],
        "exp": int(expiration.timestamp()),
        "tags": self._get_param("Tags"),
    }
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    return ActionResult({"WebIdentityToken": ".".join([*parts, "c2ln"]), "Expiration": expiration})


def _decode_authorization_message(self: TokenResponse) -> ActionResult:
    message = json.dumps({"allowed": False, "encoded": self._get_param("EncodedMessage")})
    return ActionResult({"DecodedMessage": message})


TokenResponse.assume_root = _assume_root
TokenResponse.get_delegated_access_token = _get_delegated_access_token
TokenResponse.get_web_identity_token = _get_web_identity_token
TokenResponse.decode_authorization_message = _decode_authorization_message

if __name__ == "__main__":
    main()
