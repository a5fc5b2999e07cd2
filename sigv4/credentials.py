"""Temporary AWS credentials. A run with cached credentials loads only this module of sigv4."""

__all__ = ["Credentials"]


class Credentials:
    """Temporary credentials. `expiration` is RFC 3339 text as in the response. The repr shows no secret.

    `account_id` is the account of the credentials, 12 digits; None if the response does not state it
    (GetSessionToken). `clock_offset` is the number of seconds by which the local clock was behind AWS's, or 0. By
    the local clock, the credentials expire `clock_offset` seconds earlier.
    """

    __slots__ = (
        *("access_key_id", "account_id", "clock_offset"),
        *("expiration", "secret_access_key", "session_token"),
    )

    def __init__(
        self,
        access_key_id: str,
        secret_access_key: str,
        session_token: str,
        expiration: str,
        account_id: str | None = None,
        clock_offset: int = 0,
    ) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.session_token = session_token
        self.expiration = expiration
        self.account_id = account_id
        self.clock_offset = clock_offset

    def __repr__(self) -> str:
        return f"<Credentials {self.access_key_id} until {self.expiration}, secrets hidden>"
