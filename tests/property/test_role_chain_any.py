"""Any AWS profiles, chained in any way: options that AWS would take, or one line that says what is wrong."""

import os
import tempfile
from pathlib import Path
from unittest import mock
from urllib.parse import parse_qs

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli.credentials.options import given_options
from cli.credentials.role_chain import profile_settings
from cli.credentials.settings import PROGRAM, RunSettings, aws_of
from cli.credentials.sts import endpoint_for, operations
from cli.terminal.messages import UsageError
from sigv4.errors import RequestError
from sigv4.operation import Operation
from sigv4.sts import AssumeRole, Credentials

NAMES = ["default", "a", "b", "c"]
ROLE = "arn:aws:iam::123456789012:role/"
KEY = f"{PROGRAM} --aws-access-key-id=AKIA --credential-file=/nonexistent"
PROCESSES = [
    KEY,
    f"{KEY} --assumeRole --aws-arn={ROLE}x --aws-arn={ROLE}y --external-id=own",
    f"{KEY} --federation-name=bob",
    f"{KEY} --duration=900 --mfa-process=true",
    *(f"{PROGRAM} --profile={name}" for name in NAMES),
    f"{PROGRAM} --unknown",
    "other program",
    "'",
]
SETTINGS = {
    "role_arn": st.sampled_from([ROLE + "a", ROLE + "b", "short", ""]),
    "source_profile": st.sampled_from([*NAMES, "missing", ""]),
    "credential_process": st.sampled_from(PROCESSES),
    "mfa_serial": st.sampled_from(["arn:aws:iam::123456789012:mfa/me", "x", ""]),
    "external_id": st.sampled_from(["one-id", "?", ""]),
    "duration_seconds": st.sampled_from(["900", "43200", "0", "x", "-1", ""]),
    "role_session_name": st.sampled_from(["me", "m e", ""]),
    "region": st.sampled_from(["eu-west-1", "-", ""]),
    "endpoint_url": st.sampled_from(["http://[", "ftp://x", "https://sts.example", ""]),
    "use_fips_endpoint": st.sampled_from(["true", "maybe"]),
}
WORDS = [
    "--assumeRole=false",
    f"--aws-arn={ROLE}given",
    "--external-id=given",
    "--federation-name=eve",
    "--duration=1000",
    "--policy={}",
]
# Mostly what can work together; a chain of any of it is long enough to go wrong.
GOOD = {
    "credential_process": st.sampled_from(PROCESSES[:4]),
    "role_arn": st.sampled_from([ROLE + "a", ROLE + "b"]),
    "source_profile": st.sampled_from(NAMES),
}
PROFILE = st.one_of(
    st.fixed_dictionaries(GOOD),
    st.fixed_dictionaries({"credential_process": st.sampled_from(PROCESSES[:2])}),
    st.fixed_dictionaries(GOOD, optional={name: of for name, of in SETTINGS.items() if name not in GOOD}),
    st.fixed_dictionaries({}, optional=SETTINGS),
)
PROFILES = st.fixed_dictionaries(dict.fromkeys(NAMES, PROFILE))


@example(
    profiles={"a": {"role_arn": ROLE + "a", "source_profile": "b"}, "b": {"credential_process": PROCESSES[1]}},
    words=[],
)
@example(profiles={"a": {"credential_process": f"{PROGRAM} --profile=a"}}, words=[])
@given(profiles=PROFILES, words=st.lists(st.sampled_from(WORDS), unique=True, max_size=2))
@settings(deadline=None, max_examples=300)
def test_any_chain_of_profiles(profiles: dict[str, dict[str, str]], words: list[str]) -> None:
    text = ""
    for name, values in profiles.items():
        text += f"[{name if name == 'default' else f'profile {name}'}]\n"
        text += "".join(f"{key} = {value}\n" for key, value in values.items())
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "config")
        path.write_text(text)
        environ = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(path) + ".none"}
        with mock.patch.dict(os.environ, environ):
            found = _tried(words)
    if isinstance(found, str):
        assert found.isprintable()
        return
    run, calls = found
    # As many roles as there are in the file, each in its turn; none where another operation is asked for.
    roles = [parse_qs(call.form().decode())["RoleArn"][0] for call in calls if isinstance(call, AssumeRole)]
    assert len(roles) in (0, len(calls))
    assert bool(roles) == run.assumeRole
    if roles:
        assert run.aws_arn is not None
        assert roles[-1] == run.aws_arn[-1]
        assert roles == [f"{ROLE}given"] or f"--aws-arn={ROLE}given" not in words
    assert not {"--assumeRole=false", "--federation-name=eve"} & set(words) or not roles


def _tried(words: list[str]) -> "tuple[RunSettings, list[Operation[Credentials]]] | str":
    """The options and the calls, or what is said of an error."""
    try:
        run = profile_settings("a", given_options(words))
        calls = operations(run, None)
        endpoint_for(aws_of(run), calls[0])
    except (UsageError, RequestError) as error:
        return str(error)
    return run, calls
