"""The steps of `tpmwire demo`: shell commands, each with its reason."""

__all__ = ["demo_steps"]


def demo_steps(*, aws: bool, soft: bool) -> list[tuple[str, str]]:
    """Returns the demo's steps as pairs (reason, shell command).

    `aws` is true if the aws command is installed, `soft` if the TPM is tpmwire's own.
    """
    memory = " (This TPM is a program: its memory has it.)" if soft else ""
    line = "$(sed -n 's/^credential_process = //p' ~/.aws/config)"
    return [
        (
            "Import the secret access key into the TPM, from standard input. The TPM never releases it.",
            'printf %s "$SECRET" | tpmwire import --aws-access-key-id "$KEY_ID" '
            "--persistent-handle 0x81010020 --out key.pem --write-profile tpm",
        ),
        (
            "Get the caller's identity from STS, which verifies the signature.",
            "tpmwire aws whoami --profile tpm",
        ),
        (
            "Add a role to the new profile. The profile has no secret.",
            'sed -i "s|^credential_process.*|& --assumeRole --aws-arn=$ROLE --aws-session-name=demo|" '
            "~/.aws/config; cat ~/.aws/config",
        ),
        (
            "Get the role's temporary credentials, as every SDK gets them from this profile.",
            f'eval "{line}"',
        ),
        (
            "Use the profile. STS verifies two signatures: one by the TPM, one by the role's credentials.",
            "aws sts get-caller-identity --profile tpm" if aws else "tpmwire aws whoami --profile tpm",
        ),
        (
            "Show the TPM commands. The salted session encrypts the response: nothing secret crosses the bus.",
            f'eval "{line} --verbose" >/dev/null',
        ),
        (
            "Use the same key from its file, which only this TPM can load.",
            'aws-tpm-process-credential --verbose --aws-access-key-id "$KEY_ID" --credential-file key.pem '
            ">/dev/null",
        ),
        (
            f"Search for the secret: no file has it.{memory}",
            'grep -rF "$SECRET" ~ && exit 1; echo "not found"',
        ),
    ]
