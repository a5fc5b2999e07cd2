"""Calls AWS for enrolment and rotation: STS for the owner of a key, and IAM for the user's access keys."""

from collections.abc import Sequence

from sigv4.client import AwsClient, StsClient
from sigv4.config import configured_region
from sigv4.endpoints import resolve_service
from sigv4.errors import StsError
from sigv4.retry import RetryPolicy, read_retry_policy
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import CallerIdentity, GetCallerIdentity
from tpmwire.secret import Secret

from ..awsconfig.profiles import existing_profile
from ..credentials.options import parse_run
from ..credentials.settings import RunSettings, aws_of
from ..credentials.sts import endpoint_for
from ..terminal.messages import warn
from ..terminal.network import ShownHttpClient
from .profile_command import ProfileCommand

__all__ = ["ask_identity", "ask_plaintext_identity", "iam_client"]


def ask_identity(command: ProfileCommand) -> CallerIdentity:
    """Returns the identity that STS reports for the profile's key; the TPM signs the request.

    Raises StsError if AWS refuses the key, NetworkError if STS does not respond, and the errors of the TPM.
    """
    return _call_sts(command.signer(), command.settings)


def ask_plaintext_identity(key_id: str, secret: Secret, options: Sequence[str]) -> CallerIdentity:
    """Returns the identity that STS reports for a plaintext key.

    `secret` is "AWS4" followed by the secret access key. `options` are `aws-tpm-process-credential` options that
    select the endpoint. Raises StsError if AWS refuses the key, NetworkError if STS does not respond.
    """
    plain = secret.reveal().removeprefix(b"AWS4").decode("ascii")
    return _call_sts(Signer(key_id, hmac_from_secret(plain)), parse_run(options))


def _call_sts(signer: Signer, settings: RunSettings) -> CallerIdentity:
    operation, aws = GetCallerIdentity(), aws_of(settings)
    endpoint = endpoint_for(aws, operation)
    attempts = read_retry_policy(aws.environ, aws.profile)
    http = ShownHttpClient(_patience(settings), aws.environ, user_agent="tpmwire", warn=warn)
    try:
        return StsClient(signer, endpoint, http, policy=attempts, warn=warn).call(operation)
    except StsError as error:
        if error.code == "InvalidClientTokenId":
            error.hint += (
                f"; the request went to {endpoint.url}; for a key of another partition (GovCloud, China), "
                "give --aws-region or set the profile's region"
            )
        raise


def iam_client(command: ProfileCommand, *, once: bool = False) -> AwsClient:
    """Returns an IAM client that signs with the profile's key. With `once`, the client never retries a call."""
    settings = command.settings.copy()
    if command.profile is not None:
        # IAM's endpoint and the CAs come from the profile, since the command line has only STS's.
        settings.aws_profile = existing_profile(command.profile)
    aws = aws_of(settings)
    region = aws.region or configured_region(aws.environ, aws.profile) or "us-east-1"
    endpoint = resolve_service("iam", region, None, aws.environ, aws.profile)
    attempts = RetryPolicy(max_attempts=1) if once else read_retry_policy(aws.environ, aws.profile)
    signer = command.signer()
    http = ShownHttpClient(_patience(settings), aws.environ, user_agent="tpmwire", warn=warn)
    return AwsClient(signer, endpoint, http, policy=attempts, warn=warn)


def _patience(settings: RunSettings) -> float:
    # The profile's time-out is for a program that waits for credentials; here, a user waits and can wait longer.
    return max(settings.timeout, 30.0)
