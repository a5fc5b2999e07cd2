"""Prints a token for an EKS cluster, like `aws eks get-token`, signed by the key in the TPM.

  tpmwire token eks --profile work --cluster-name prod

kubectl runs this verb. In ~/.kube/config, replace the command aws that `aws eks update-kubeconfig` wrote:

  users:
  - name: prod
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1beta1
        command: tpmwire
        args: [token, eks, --profile, work, --region, eu-central-1,
               --cluster-name, prod]
        interactiveMode: IfAvailable

The token is a presigned request that EKS sends to STS. No request is made here. The token is valid for 15 minutes,
of which kubectl uses 14. The cluster sees the key's user or, with --assumeRole or a profile's role, that role.
"""

import argparse
import json
import os
import time

from sigv4.endpoints import resolve
from sigv4.tokens import check_cluster, eks_exec_credential, eks_token

from ..requests.options import UseSettings, add_use_options, caller_of, region_of
from ..requests.signer import signer_of
from ..terminal.messages import warn

__all__ = ["Settings", "configure", "run"]

_VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))


class Settings(UseSettings):
    """The verb's options."""

    cluster_name: str | None
    cluster_id: str | None
    region: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    cluster = parser.add_mutually_exclusive_group(required=True)
    cluster.add_argument("--cluster-name", metavar="NAME", help="name of the cluster")
    cluster.add_argument(
        "--cluster-id", metavar="ID", help="ID of a local cluster on an Outpost, instead of --cluster-name"
    )
    parser.add_argument("--region", metavar="REGION", help="region of the cluster (default: the profile's)")
    add_use_options(parser, without=("--format",))


def run(args: Settings) -> int:
    """Prints an ExecCredential object with a token for kubectl.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    cluster = args.cluster_name or args.cluster_id or ""
    check_cluster(cluster)
    caller = caller_of(args)
    aws, region = caller.aws, region_of(caller, args.region)
    endpoint = resolve(region, aws.endpoint, aws.environ, aws.profile)
    version = _api_version()
    signer = signer_of(caller)
    moment = signer.signing_time(time.time())
    token = eks_token(signer, endpoint, cluster, moment)
    print(json.dumps(eks_exec_credential(token, moment, version)))
    return 0


def _api_version() -> str | None:
    """Returns the API version that kubectl requests; None, after a warning, for a missing or unknown version."""
    text = os.environ.get("KUBERNETES_EXEC_INFO")
    if not text:
        return None
    try:
        found = json.loads(text)["apiVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if found in _VERSIONS:
        return str(found)
    warn("KUBERNETES_EXEC_INFO names an unsupported version; using v1beta1")
    return None
