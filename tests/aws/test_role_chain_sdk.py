"""AWS profiles as an SDK reads them, and as we do."""

from collections.abc import Callable

from tests.support.front import Exchange, Front
from tests.support.profiles import CHAIN, Run, config, run
from tests.support.programs import CREDENTIAL_PROCESS
from tests.support.sts import VerifyingSts

__all__ = ["config", "run"]

WHO = ["sts", "get-caller-identity", "--output=text", "--query=Arn"]


def test_an_sdk_by_way_of_the_profile(
    config: Callable[..., None], run: Run, sts: VerifyingSts, front: Front
) -> None:
    config(
        CHAIN + f"[profile sdk]\nregion = us-east-1\ncredential_process = {CREDENTIAL_PROCESS} --profile admin "
        "--mfa-process 'echo 123456'\n"
    )
    code, out, err = run(*WHO, "--profile=sdk", program="aws")
    assert (code, out, err) == (0, "arn:aws:sts::210987654321:assumed-role/elsewhere/admin\n", "")
    assert [exchange.form()["Action"] for exchange in front.seen] == [
        "AssumeRole",
        "AssumeRole",
        "GetCallerIdentity",
    ]


ROLES = """
[profile middle]
role_arn = {role}
source_profile = tpm
role_session_name = middle
region = eu-west-1

[profile admin]
role_arn = arn:aws:iam::210987654321:role/elsewhere
source_profile = middle
role_session_name = admin
external_id = admin-id
duration_seconds = 1800
region = eu-south-1
sts_regional_endpoints = legacy
"""


def test_what_an_sdk_sends_for_the_same_profiles(
    config: Callable[..., None], run: Run, sts: VerifyingSts, front: Front
) -> None:
    """It has our program run for the first role, and assumes the others; we assume all."""
    config(ROLES, f"--assumeRole --aws-arn={sts.role_arn} --aws-session-name=first")
    assert run(*WHO, "--profile=admin", program="aws")[::2] == (0, "")
    theirs = list(front.seen[:-1])
    front.seen.clear()
    assert run("--profile=admin")[::2] == (0, "")
    # AWS's own lifetime, which an SDK does not write out, is what we write.
    default = {"DurationSeconds": "3600"}
    assert [default | exchange.form() for exchange in theirs] == [exchange.form() for exchange in front.seen]
    # The first one is the program's own, which knows no region when it is run by itself.
    assert [_scope(exchange) for exchange in theirs] == ["us-east-1", "eu-south-1", "eu-south-1"]
    assert [_scope(exchange) for exchange in front.seen] == ["eu-south-1"] * 3


def _scope(exchange: Exchange) -> str:
    return exchange.authorization.partition("/sts/")[0].rpartition("/")[2]
