"""What STS gives. A module of its own: a run whose credentials are at hand needs nothing else of STS."""

__all__ = ["Credentials"]


class Credentials:
    """Temporary credentials. `expiration` is RFC 3339 text as STS wrote it. The repr shows no secret.

    `account_id` is the account they act in, 12 digits; None where the answer does not say (GetSessionToken).
    `clock_offset` is the seconds that our clock was behind AWS's when they came, so much earlier than `expiration`
    they end by it; 0 where it was about right.
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
