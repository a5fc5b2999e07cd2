"""Tokens and passwords for EKS, databases, caches, MSK, Bedrock, CodeCommit, ECR and the console.

Most are signatures. For Redshift Serverless, ECR and the console, one function returns the
request and a second one reads the response.
"""

import re
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from .canonical import credential_scope
from .endpoints import Endpoint, dns_suffix, partition
from .errors import RequestError, ResponseError
from .request import Request, host_header, split_url
from .times import rfc3339, timestamp

if TYPE_CHECKING:
    from .credentials import Credentials
    from .signer import Signer

__all__ = [
    "BEDROCK_LIFETIME",
    "bedrock_key",
    "cache_token",
    "check_cache_user",
    "check_cluster",
    "check_database",
    "check_signin",
    "codecommit_password",
    "codecommit_region",
    "console_page",
    "console_url",
    "database_region",
    "dsql_token",
    "ecr_login",
    "ecr_request",
    "eks_exec_credential",
    "eks_token",
    "msk_token",
    "rds_token",
    "redshift_login",
    "redshift_request",
    "registry_region",
    "signin_token",
    "signin_token_request",
]

EKS_LIFETIME = 840  # seconds, one minute less than EKS accepts the token
_EKS_URL_LIFETIME = 60  # seconds; EKS ignores this value and checks the signature's time
_DATABASE_LIFETIME = 900  # seconds
BEDROCK_LIFETIME = 43200  # seconds, at most

# Partition: hosts of sign-in and console.
_SITES = {
    "aws": ("signin.aws.amazon.com", "console.aws.amazon.com"),
    "aws-cn": ("signin.amazonaws.cn", "console.amazonaws.cn"),
    "aws-us-gov": ("signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
}
_SIGNIN_MIN, _SIGNIN_MAX = 900, 43200  # seconds
_REDSHIFT_MIN, _REDSHIFT_MAX = 900, 3600  # seconds


def check_cluster(cluster: str) -> None:
    """Raises RequestError unless `cluster` is a valid name or id of an EKS cluster."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", cluster):
        raise RequestError(
            f"{cluster!r} is not a valid EKS cluster name; use 1 to 100 letters, digits, hyphens, underscores"
        )


def eks_token(signer: "Signer", endpoint: Endpoint, cluster: str, time: float) -> str:
    """Returns the bearer token for an EKS cluster: a presigned URL of GetCallerIdentity, encoded for EKS.

    `cluster` is the cluster's name, or its id on Outposts. `endpoint` is the STS endpoint in the cluster's region.
    The token is valid for 15 minutes from `time` (POSIX seconds). Source: aws eks get-token.
    """
    check_cluster(cluster)
    from base64 import urlsafe_b64encode  # late: the other tokens do not need it

    url = f"{endpoint.url}?Action=GetCallerIdentity&Version=2011-06-15"
    request = Request("GET", url, (("x-k8s-aws-id", cluster),))
    signed = signer.presign(request, endpoint.region, "sts", time, _EKS_URL_LIFETIME)
    return "k8s-aws-v1." + urlsafe_b64encode(signed.encode("ascii")).decode("ascii").rstrip("=")


def eks_exec_credential(token: str, time: float, api_version: str | None = None) -> dict[str, object]:
    """Returns the ExecCredential object that kubectl expects from a credential plugin, with a token.

    `time` is the `time` argument of `eks_token` for this token. `api_version` is the apiVersion in
    $KUBERNETES_EXEC_INFO. Source: client.authentication.k8s.io.
    """
    return {
        "kind": "ExecCredential",
        "apiVersion": api_version or "client.authentication.k8s.io/v1beta1",
        "spec": {},
        "status": {"expirationTimestamp": rfc3339(time + EKS_LIFETIME), "token": token},
    }


def check_database(host: str, port: int | None, user: str, region: str) -> None:
    """Raises RequestError if a database token cannot have this host, port, user or region. A port is optional."""
    _check_user(user)
    if port is not None and not 0 < port < 65536:
        raise RequestError(f"invalid port {port}; use 1 to 65535")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
        raise RequestError(f"{host!r} is not a valid database host; use the host name of its endpoint")
    credential_scope(timestamp(0), region, "rds-db")


def _check_user(user: str) -> None:
    if not user:
        raise RequestError("missing database user; give the user's name")
    try:
        user.encode("utf-8")
    except UnicodeEncodeError:
        raise RequestError("the database user is not valid UTF-8; use UTF-8") from None


def rds_token(signer: "Signer", host: str, port: int, user: str, region: str, time: float) -> str:
    """Returns the password of a database user at host:port (RDS, Aurora).

    The password is valid for 15 minutes from `time` (POSIX seconds). Raises RequestError for invalid arguments.
    """
    check_database(host, port, user, region)
    query = f"Action=connect&DBUser={quote(user, safe='-._~')}"
    return _database_token(signer, f"{host}:{port}", query, region, "rds-db", time)


def dsql_token(signer: "Signer", host: str, region: str, time: float, *, admin: bool = False) -> str:
    """Returns the password for an Aurora DSQL cluster, valid for 15 minutes from `time` (POSIX seconds).

    The password is for the database user admin if `admin` is True, else for any other user. Raises RequestError
    for an invalid host or region.
    """
    check_database(host, None, "admin" if admin else "another", region)
    return _database_token(signer, host, f"Action=DbConnect{'Admin' if admin else ''}", region, "dsql", time)


def _database_token(signer: "Signer", authority: str, query: str, region: str, service: str, time: float) -> str:
    request = Request("GET", f"https://{authority}/?{query}")
    return signer.presign(request, region, service, time, _DATABASE_LIFETIME).removeprefix("https://")


def check_cache_user(cache: str, user: str) -> None:
    """Raises RequestError unless `cache` and `user` are valid names for ElastiCache and MemoryDB."""
    _check_user(user)
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", cache):
        raise RequestError(
            f"{cache!r} is not a valid cache name; use lowercase letters, digits and hyphens (not the host)"
        )


def cache_token(
    signer: "Signer", service: str, cache: str, user: str, region: str, time: float, *, serverless: bool = False
) -> str:
    """Returns the password of a user of a cache, valid for 15 minutes from `time` (POSIX seconds).

    `service` is "elasticache" or "memorydb". `cache` is the name of the replication group, serverless cache or
    MemoryDB cluster. Raises RequestError for invalid arguments. Source: Amazon ElastiCache User Guide, MemoryDB
    Developer Guide, "Authenticating with IAM".
    """
    check_cache_user(cache, user)
    query = f"Action=connect&User={quote(user, safe='-._~')}"
    return _database_token(
        signer, cache, query + "&ResourceType=ServerlessCache" * serverless, region, service, time
    )


def msk_token(signer: "Signer", region: str, time: float, user_agent: str) -> str:
    """Returns the OAUTHBEARER token for Kafka clients of Amazon MSK, valid for 15 minutes from `time`.

    `time` is in POSIX seconds. `user_agent` names the client and is not signed. Raises RequestError for an invalid
    region. Source: aws-msk-iam-sasl-signer.
    """
    from base64 import urlsafe_b64encode  # late: the other tokens do not need it

    credential_scope(timestamp(0), region, "kafka-cluster")
    request = Request("GET", f"https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect")
    url = signer.presign(request, region, "kafka-cluster", time, _DATABASE_LIFETIME)
    text = f"{url}&User-Agent={quote(user_agent, safe='-._~')}"
    return urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")


def bedrock_key(signer: "Signer", region: str, time: float, expires: int = BEDROCK_LIFETIME) -> str:
    """Returns a short-term API key of Amazon Bedrock for a region, valid for `expires` seconds from `time`.

    `time` is in POSIX seconds. Raises RequestError for an invalid region, or `expires` outside 1 to 43200. Source:
    aws-bedrock-token-generator.
    """
    from base64 import b64encode  # late: the other tokens do not need it

    credential_scope(timestamp(0), region, "bedrock")
    if not 1 <= expires <= BEDROCK_LIFETIME:
        raise RequestError(f"a short-term API key is valid for 1 to {BEDROCK_LIFETIME} seconds, not {expires}")
    request = Request("POST", "https://bedrock.amazonaws.com/?Action=CallWithBearerToken")
    url = signer.presign(request, region, "bedrock", time, expires).removeprefix("https://")
    return "bedrock-api-key-" + b64encode(f"{url}&Version=1".encode("ascii")).decode("ascii")


def codecommit_region(host: str) -> str | None:
    """Returns the region in the name of a CodeCommit host; None for other hosts."""
    # The whole host must match: a domain that only begins like AWS's must not get the password.
    match = re.fullmatch(
        r"(?:vpce-[a-z0-9-]+\.)?git-codecommit(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?([a-z0-9.-]+)(?::\d+)?", host
    )
    return None if match is None or match[2] != dns_suffix(match[1]) else match[1]


def database_region(host: str) -> tuple[str, str] | None:
    """Returns (kind, region) from the name of a database host; None for other hosts.

    The kind is "rds" or "dsql".
    """
    host = host.lower()
    if match := re.fullmatch(r".+\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws", host):
        return "dsql", match[1]
    # In China the region follows the service.
    for pattern in (r".+\.([a-z0-9-]+)\.rds\.(.+)", r".+\.rds\.([a-z0-9-]+)\.(.+)"):
        if (match := re.fullmatch(pattern, host)) and match[2] == dns_suffix(match[1]):
            return "rds", match[1]
    return None


def codecommit_password(signer: "Signer", url: str, region: str, time: float) -> tuple[str, str]:
    """Returns git's (user name, password) for a CodeCommit repository, signed at `time` (POSIX seconds).

    `url` is the repository's URL. Raises RequestError if it is invalid.

    Source: aws codecommit credential-helper; its canonical request has method GIT, no body and no port.
    """
    parts = split_url(url)
    host = host_header(url).rpartition("@")[2].partition(":")[0]
    canonical = f"GIT\n{parts.path}\n\nhost:{host}\n\nhost\n"
    stamp = timestamp(time).removesuffix("Z")
    digest = sha256(canonical.encode("utf-8")).hexdigest()
    scope = credential_scope(stamp, region, "codecommit")
    text = "\n".join((signer.algorithm, stamp, scope, digest))
    password = f"{stamp}Z{signer.signature(text, stamp[:8], region, 'codecommit')}"
    token = signer.session_token
    return signer.access_key_id + (f"%{token}" if token is not None else ""), password


def ecr_request(endpoint: Endpoint, *, public: bool = False) -> Request:
    """Returns the unsigned request for a registry password.

    `endpoint` is the endpoint of the service "ecr", or of "ecr-public" if `public` is True.
    """
    target = "SpencerFrontendService" if public else "AmazonEC2ContainerRegistry_V20150921"
    headers = (
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", f"{target}.GetAuthorizationToken"),
    )
    return Request("POST", endpoint.url, headers, b"{}")


def registry_region(host: str) -> str | None:
    """Returns the region of a private ECR registry's host, ACCOUNT.dkr.ecr.REGION...; None for other hosts."""
    match = re.fullmatch(r"\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(.+)", host)
    if match is None or match[2] not in (dns_suffix(match[1]), "on.aws", "on.amazonwebservices.com.cn"):
        return None
    return match[1]


def ecr_login(body: bytes) -> tuple[str, str, str]:
    """Returns (user name, password, registry URL) from a response to `ecr_request`.

    The URL is "" for the public registry. Raises ResponseError if the body is not a response to `ecr_request`.
    """
    import json  # late: tokens that are signatures need neither
    from base64 import b64decode

    try:
        entries = json.loads(body)["authorizationData"]
        data = entries[0] if isinstance(entries, list) else entries
        user, colon, password = b64decode(data["authorizationToken"], validate=True).decode("ascii").partition(":")
        registry = data.get("proxyEndpoint", "")
        if not (user and colon and password and isinstance(registry, str)):
            raise ValueError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        # Not chained: the cause may quote the password.
        raise ResponseError("the response has no registry password; check the endpoint") from None
    return user, password, registry


def check_signin(region: str, duration_seconds: int | None = None) -> None:
    """Raises RequestError if the console of a region is unknown, or the duration of a console session is invalid.

    The sign-in pages of some partitions are unknown.
    """
    _site(region)
    if duration_seconds is not None and not _SIGNIN_MIN <= duration_seconds <= _SIGNIN_MAX:
        raise RequestError(
            f"a console session lasts {_SIGNIN_MIN} to {_SIGNIN_MAX} seconds, not {duration_seconds}"
        )


def redshift_request(
    endpoint: Endpoint, workgroup: str, database: str | None = None, seconds: int | None = None
) -> Request:
    """Returns the unsigned request for a user name and password of Redshift Serverless (GetCredentials).

    `endpoint` is the endpoint of the service "redshift-serverless". The password is for `database`, or for any
    database if None, and valid for `seconds` (900 to 3600; None: 900). Raises RequestError for invalid arguments.
    """
    import json  # late: tokens that are signatures do not need it

    if not re.fullmatch("[a-z0-9-]{3,64}", workgroup):
        raise RequestError(
            f"{workgroup!r} is not a valid workgroup name; use 3 to 64 lowercase letters, digits and hyphens"
        )
    if database is not None and not re.fullmatch("[A-Za-z][A-Za-z0-9_+.@-]{0,63}", database):
        raise RequestError(
            f"{database!r} is not a valid database name; use up to 64 letters, digits and _+.@-, a letter first"
        )
    if seconds is not None and not _REDSHIFT_MIN <= seconds <= _REDSHIFT_MAX:
        raise RequestError(
            f"a password of Redshift is valid for {_REDSHIFT_MIN} to {_REDSHIFT_MAX} seconds, not {seconds}"
        )
    values = {"workgroupName": workgroup, "dbName": database, "durationSeconds": seconds}
    body = json.dumps({name: value for name, value in values.items() if value is not None})
    headers = (
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", "RedshiftServerless.GetCredentials"),
    )
    return Request("POST", endpoint.url, headers, body.encode("ascii"))


def redshift_login(body: bytes) -> dict[str, str]:
    """Returns dbUser and dbPassword from a response to `redshift_request`, and its times in RFC 3339 format.

    Raises ResponseError if the body is not a response to `redshift_request`.
    """
    import json  # late: tokens that are signatures do not need it

    try:
        answer = json.loads(body)
        found = {name: answer[name] for name in ("dbUser", "dbPassword")}
        if not all(isinstance(value, str) and value and value.isprintable() for value in found.values()):
            raise ValueError
        times = {name: answer[name] for name in ("expiration", "nextRefreshTime") if name in answer}
        return found | {name: rfc3339(float(value)) for name, value in times.items()}
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, RequestError):
        # Not chained: the cause may quote the password.
        raise ResponseError("the response has no database password; check the endpoint") from None


def signin_token_request(credentials: "Credentials", region: str, duration_seconds: int | None = None) -> Request:
    """Returns the request for a console sign-in token. The request's URL contains the credentials.

    Send the request unsigned. `credentials` must come from AssumeRole or GetFederationToken. `duration_seconds` is
    the duration of the console session (900 to 43200). AWS allows a duration only for AssumeRole by a user, not by
    a role. Raises RequestError for an invalid duration, or if the region's console is unknown.
    """
    check_signin(region, duration_seconds)
    import json  # late: tokens that are signatures do not need it

    session = {
        "sessionId": credentials.access_key_id,
        "sessionKey": credentials.secret_access_key,
        "sessionToken": credentials.session_token,
    }
    query = {"Action": "getSigninToken"}
    if duration_seconds is not None:
        query["SessionDuration"] = str(duration_seconds)
    query["Session"] = json.dumps(session)
    return Request("GET", f"https://{_site(region)[0]}/federation?{urlencode(query)}")


def signin_token(body: bytes) -> str:
    """Returns the token from a response to `signin_token_request`. Raises ResponseError if it is missing."""
    import json  # late: tokens that are signatures do not need it

    try:
        token = json.loads(body)["SigninToken"]
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]+", token):
        raise ResponseError(
            "the response has no sign-in token; use credentials from AssumeRole or GetFederationToken"
        )
    return token


def console_url(token: str, region: str, destination: str | None = None, issuer: str = "") -> str:
    """Returns the URL that signs a browser in to the console; keep the URL secret for 15 minutes.

    `destination` is the console page to open (None: the home page in `region`), `issuer` the page to open when the
    session has ended. Raises RequestError for a partition without a known console.
    """
    signin, _ = _site(region)
    destination = destination or console_page(region)
    query = {"Action": "login", "Issuer": issuer, "Destination": destination, "SigninToken": token}
    return f"https://{signin}/federation?{urlencode(query)}"


def console_page(region: str, page: str | None = None) -> str:
    """Returns the URL of a console page in a region: a service's page, such as s3, or by default the home page.

    A URL as `page` is returned unchanged. Raises RequestError if `page` is invalid or the region's console is
    unknown.
    """
    if page is not None and page.startswith("https://"):
        return split_url(page).geturl()
    if page is not None and not re.fullmatch(r"[a-z0-9-]+", page):
        raise RequestError(
            f"{page!r} is not a valid console page; use https://... or the name of a service, such as s3"
        )
    return f"https://{_site(region)[1]}/{page or 'console'}/home?region={region}"


def _site(region: str) -> tuple[str, str]:
    name = partition(region)[0]
    if name not in _SITES:
        raise RequestError(
            f"unknown console sign-in page of partition {name}; use a region of a different partition"
        )
    return _SITES[name]
