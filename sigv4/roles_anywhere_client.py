"""A client of IAM Roles Anywhere, with hints for its errors."""

from . import retry
from .client import AwsClient, read_error
from .errors import StsError
from .http import Response

__all__ = ["RolesAnywhereClient"]

_HINTS = (
    (
        "insufficient certificate",
        "the certificate needs keyUsage with digitalSignature, CA:FALSE, and usually extendedKeyUsage clientAuth, "
        "and must be issued by the trust anchor's CA",
    ),
    (
        "untrusted signing certificate",
        "no path leads from the certificate to the trust anchor: send missing CA certificates with "
        "--intermediates, or check that the trust anchor has this CA's current certificate",
    ),
    (
        "not authorized to set rolesessionname",
        "the profile does not accept session names: omit --role-session-name, or run `aws rolesanywhere "
        "update-profile --profile-id ID --accept-role-session-name`",
    ),
    (
        "durationseconds exceeds the maxsessionduration",
        "request a shorter --session-duration, shorten the profile's duration, or raise the role's "
        "MaxSessionDuration",
    ),
    (
        "unable to assume role",
        "the role's trust policy must allow sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity to "
        "rolesanywhere.amazonaws.com, its conditions must match the trust anchor and the certificate's subject, "
        "and the profile must list the role",
    ),
    (
        "sts:assumerole",
        "the role's trust policy must allow sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity to "
        "rolesanywhere.amazonaws.com",
    ),
    ("is disabled", "enable it: `aws rolesanywhere enable-trust-anchor` or `enable-profile`"),
)
_CODE_HINTS = {
    "AccessDeniedException": "check that the key belongs to the certificate, that trust anchor, profile and role "
    "exist and are enabled, and that the certificate is not revoked",
    "ResourceNotFoundException": "check region, account and IDs in the ARNs of trust anchor and profile",
    "ThrottlingException": "Roles Anywhere allows 10 sessions per second for each account and region; cache the "
    "credentials (--cache), or serve them with `tpmwire roles-anywhere serve`",
    "ValidationException": "check the ARNs of trust anchor, profile and role",
}


class RolesAnywhereClient(AwsClient):
    """A client of Roles Anywhere, with the same arguments as AwsClient."""

    success = range(200, 300)

    def explain(self, response: Response, clock_offset: float) -> StsError:
        """Returns the error of a response, with a hint about trust anchors, profiles, roles and certificates."""
        error = read_error(response, self._endpoint.url, clock_offset)
        if response.status == 403 and abs(clock_offset) > retry.CLOCK_TOLERANCE:
            # AWS's message for a wrong clock is not documented.
            error.hint = retry.clock_hint(clock_offset)
        elif found := _find_hint(error):
            error.hint = found
        return error

    def _correct_clock(self, error: StsError, offset: float | None) -> bool:
        """Adopts the server's time after any refusal if the clock is wrong; returns whether to sign again."""
        if offset is None or error.http_status != 403 or abs(offset - self._offset) <= retry.CLOCK_TOLERANCE:
            return super()._correct_clock(error, offset)
        self._adopt_offset(offset)
        return True


def _find_hint(error: StsError) -> str:
    message = error.message.lower()
    found = next((hint for text, hint in _HINTS if text in message), None)
    return found or _CODE_HINTS.get(error.code, "")
