"""Prints passwords for caches with IAM authentication: ElastiCache and MemoryDB."""

import time

from sigv4.endpoints import check_region
from sigv4.tokens import cache_token, check_cache_user

from .options import UseSettings, caller_of, region_of
from .signer import signer_of

__all__ = ["print_cache_token"]


def print_cache_token(
    args: UseSettings, service: str, cache: str, user: str, region: str | None, *, serverless: bool = False
) -> None:
    """Prints a temporary password of `user` for `cache`; `service` is elasticache or memorydb.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `signer_of`.
    """
    caller = caller_of(args)
    found = check_region(region_of(caller, region))
    check_cache_user(cache, user)
    signer = signer_of(caller)
    moment = signer.signing_time(time.time())
    print(cache_token(signer, service, cache, user, found, moment, serverless=serverless))
