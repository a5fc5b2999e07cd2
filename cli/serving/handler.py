"""Responds to requests: ECS's container credentials, EC2's metadata service (version 2 only), credential_process.

Sources: AWS SDKs and Tools Reference Guide, "Container credential provider"; Amazon EC2 User Guide, "Use the
Instance Metadata Service to access instance metadata".
"""

import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from sigv4.times import rfc3339

from .request import RefusedError, Request, parse_request
from .senders import check_host, check_sender
from .store import Store, UnavailableError

if TYPE_CHECKING:
    from .tokens import RandomToken, Sessions, TokenFile

__all__ = ["ProfileSource", "Service", "respond"]

ROLE = "tpmwire"
_LIST = "/latest/meta-data/iam/security-credentials"
_PLACE = "/latest/meta-data/placement"
_DOCUMENT = "/latest/dynamic/instance-identity/document"
_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_ALLOWED = ("GET", "HEAD", "PUT")


class ProfileSource(NamedTuple):
    """A profile's credential store, and the token for /credentials/NAME.

    `token` is None if the server does not serve that path.
    """

    store: Store
    token: "TokenFile | RandomToken | None"


class Service(NamedTuple):
    """Settings of the credential server's responses.

    With `imds`, every client can read credentials and region as from EC2's instance metadata service.

    `store` contains the credentials of /credentials, /process and the metadata service. `region` is the region
    that the metadata service reports; None if unknown. Without `token`, /credentials does not exist. With
    `process`, /process returns a credential_process document to trusted clients. `role` is the role name that the
    metadata service reports. `profiles` contains the sources of /credentials/NAME and /process/NAME. `hosts`
    contains host names, in lower case, that clients may use besides those of loopback and container addresses.
    """

    store: Store
    token: "TokenFile | RandomToken | None"
    sessions: "Sessions"
    imds: bool = False
    region: str | None = None
    process: bool = False
    role: str = ROLE
    profiles: Mapping[str, ProfileSource] = {}
    hosts: frozenset[str] = frozenset()


class _Response(NamedTuple):
    status: int
    text: str
    kind: str = "text/plain"
    more: tuple[str, ...] = ()

    def to_bytes(self, *, without_body: bool) -> bytes:
        body = self.text.encode()
        head = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            "Server: tpmwire",
            f"Date: {formatdate(usegmt=True)}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            *self.more,
            "Connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode() + (b"" if without_body else body)


def respond(data: bytes, service: Service, port: int | None, *, trusted: bool = False) -> bytes:
    """Returns the HTTP response to the request in `data`. May wait until credentials are fetched.

    `port` is the server's port, or None for a unix socket. `trusted` is True for a client of a unix socket that
    may get credentials without a token. Error responses are JSON that SDKs can parse.
    """
    method = ""
    try:
        request = parse_request(data)
        method = request.method
        response = _response(request, service, port, trusted)
    except RefusedError as refused:
        more = (f"Allow: {', '.join(_ALLOWED)}",) if refused.status == HTTPStatus.METHOD_NOT_ALLOWED else ()
        response = _refusal(refused.status, refused.code, refused.message, *more)
    return response.to_bytes(without_body=method == "HEAD")


def _refusal(status: int, code: str, message: str, *more: str) -> _Response:
    return _Response(status, json.dumps({"Code": code, "Message": message}), "application/json", more)


def _response(request: Request, service: Service, port: int | None, trusted: bool) -> _Response:
    if request.method not in _ALLOWED:
        raise RefusedError(
            405, "MethodNotAllowed", "method not allowed; use GET or HEAD, or PUT for a metadata token"
        )
    check_host(request.fields.get("host"), port, service.hosts)
    check_sender(request.fields)
    if request.fields.get("content-length", "0") != "0" or "transfer-encoding" in request.fields:
        raise RefusedError(413, "BadRequest", "request bodies are not supported")
    if request.method == "PUT":
        return _put(request, service)
    first, name = _split_path(request.path)
    if first == "/process" and service.process:
        return _process(service, name, port, trusted)
    if first == "/credentials" and service.token is not None:
        return _container(service, name, request.fields.get("authorization", ""))
    return _get(request, service)


def _put(request: Request, service: Service) -> _Response:
    """Returns the response to a PUT request, with a new token of the metadata service.

    Raises RefusedError for another path, without `service.imds`, and for an invalid lifetime.
    """
    if request.path != "/latest/api/token" or not service.imds:
        raise _report_not_found()
    wanted = request.fields.get(_TTL.lower(), "")
    if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 6 and 1 <= int(wanted) <= 21600):
        raise RefusedError(400, "BadRequest", f"{_TTL} must be a number from 1 to 21600")
    return _Response(200, service.sessions.open(int(wanted)), more=(f"{_TTL}: {wanted}",))


def _get(request: Request, service: Service) -> _Response:
    path = request.path.removesuffix("/")
    if not service.imds or not path.startswith("/latest/"):
        raise _report_not_found()
    if not service.sessions.has(request.fields.get("x-aws-ec2-metadata-token", "")):
        raise RefusedError(401, "Unauthorized", "IMDSv2 only: get a token with PUT /latest/api/token")
    if path == _LIST:
        return _Response(200, service.role)
    if path == f"{_LIST}/{service.role}":
        return _credentials(service.store, metadata=True)
    return _place(path, service)


def _split_path(path: str) -> tuple[str, str | None]:
    """Splits /credentials/NAME into (/credentials, decoded NAME); without a name, returns (path, None)."""
    first, _, name = path[1:].partition("/")
    return f"/{first}", unquote(name.removesuffix("/")) or None


def _container(service: Service, name: str | None, token: str) -> _Response:
    """Returns the credentials of the profile `name`, or of the first one if `name` is None.

    Raises RefusedError unless `token` is the profile's token, and if there is no such profile. A client without
    any profile's token gets the same response in both cases.
    """
    found = ProfileSource(service.store, service.token) if name is None else service.profiles.get(name)
    tokens = [found.token] if found else [service.token, *(each.token for each in service.profiles.values())]
    if not any(each is not None and each.opens(token) for each in tokens):
        of = "the profile's" if len(service.profiles) > 1 else "the server's"
        raise RefusedError(401, "Unauthorized", f"the Authorization header does not contain {of} token")
    if found is None:
        raise _report_no_profile()
    return _credentials(found.store, metadata=False)


def _place(path: str, service: Service) -> _Response:
    """Returns the response for a metadata path: region, availability zone or identity document.

    The zone is the region's first. Raises RefusedError for any other path, or if the region is unknown.
    """
    if service.region:
        zone = f"{service.region}a"
        if path in (f"{_PLACE}/region", f"{_PLACE}/availability-zone"):
            return _Response(200, zone if path.endswith("zone") else service.region)
        if path == _DOCUMENT:
            document = {"region": service.region, "availabilityZone": zone, "version": "2017-09-30"}
            return _Response(200, json.dumps(document), "application/json")
    raise _report_not_found()


def _process(service: Service, name: str | None, port: int | None, trusted: bool) -> _Response:
    """Returns a response with a credential_process document, or with the reason and exit code of a failure.

    The credentials are those of the profile `name`, or of the first profile if `name` is None. Raises RefusedError
    unless the client is trusted and uses a unix socket (`port` is None), and if there is no such profile.
    """
    if port is not None:
        raise RefusedError(403, "Forbidden", "/process is served on unix sockets only")
    if not trusted:
        raise RefusedError(403, "Forbidden", "/process is for the server's own user and root only")
    source = ProfileSource(service.store, None) if name is None else service.profiles.get(name)
    if source is None:
        raise _report_no_profile()
    try:
        found = source.store.get()
    except UnavailableError:
        return _report_unavailable(source.store, explain=True)
    document = {
        "Version": 1,
        "AccessKeyId": found.access_key_id,
        "SecretAccessKey": found.secret_access_key,
        "SessionToken": found.session_token,
        "Expiration": found.expiration,
    }
    if found.account_id:
        document["AccountId"] = found.account_id
    return _Response(200, json.dumps(document), "application/json")


def _report_unavailable(store: Store, *, explain: bool = False) -> _Response:
    """Returns the error response for missing credentials; with `explain`, it has the last error and exit code."""
    after = max(1, round(store.due - time.time()))
    body: dict[str, object] = {
        "Code": "CredentialsUnavailable",
        "Message": "no credentials at present; see the log of tpmwire serve",
    }
    if explain and (failure := store.failure) is not None:
        code, text = failure
        body |= {"Message": f"{text}; tpmwire serve tries again in {after} seconds", "ExitCode": code}
    return _Response(503, json.dumps(body), "application/json", (f"Retry-After: {after}",))


def _credentials(store: Store, *, metadata: bool) -> _Response:
    try:
        found = store.get()
    except UnavailableError:
        return _report_unavailable(store)
    document = {
        "AccessKeyId": found.access_key_id,
        "SecretAccessKey": found.secret_access_key,
        "Token": found.session_token,
        "Expiration": found.expiration,
    }
    if metadata:
        head = {"Code": "Success", "LastUpdated": rfc3339(store.fetched), "Type": "AWS-HMAC"}
        document = {**head, **document}
    if found.account_id:
        document["AccountId"] = found.account_id
    return _Response(200, json.dumps(document), "application/json")


def _report_no_profile() -> RefusedError:
    return RefusedError(404, "NotFound", "the server has no profile of this name")


def _report_not_found() -> RefusedError:
    return RefusedError(404, "NotFound", "not found")
