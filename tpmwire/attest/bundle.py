"""Quotes in one JSON file: tpmwire's own format, and PlatformParameters of go-attestation."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..errors import AttestationError, DecodeError, PolicyError
from ..policy import strict_json
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMT_PUBLIC, TPMT_SIGNATURE
from .go_attestation import require_go_scheme
from .pcr_files import pcr_json, pcrs_from_json
from .quotes import PcrValues

__all__ = ["QuoteBundle"]

GO_HASHES = {3: TPM_ALG.SHA1, 5: TPM_ALG.SHA256, 6: TPM_ALG.SHA384, 7: TPM_ALG.SHA512}
"""Hash algorithm identifiers of Go's package crypto."""


class QuoteBundle(NamedTuple):
    """Quotes and the data for their verification, as reported by the quoting machine.

    `quotes` are marshaled (TPMS_ATTEST, TPMT_SIGNATURE) pairs. `values` are PCR values, `public` is the public
    area of the attestation key, and `event_log` is the boot event log; each is None or empty if absent. All data
    is untrusted until verified.
    """

    quotes: tuple[tuple[bytes, bytes], ...]
    values: PcrValues
    public: TPMT_PUBLIC | None = None
    event_log: bytes | None = None

    @classmethod
    def of(
        cls, message: bytes, signature: TPMT_SIGNATURE, values: PcrValues, public: TPMT_PUBLIC
    ) -> "QuoteBundle":
        """Returns a bundle with one quote."""
        return cls(((message, signature.build()),), values, public)

    def to_json(self) -> str:
        """Returns the bundle as a JSON object with bytes in hex: message, signature, pcrs, public, event_log.

        Raises ValueError unless the bundle has exactly one quote.
        """
        ((message, signature),) = self.quotes
        document = {
            "message": message.hex(),
            "signature": signature.hex(),
            "pcrs": pcr_json(self.values),
            "public": None if self.public is None else self.public.build().hex(),
            "event_log": None if self.event_log is None else self.event_log.hex(),
        }
        return json.dumps(document, indent=2)

    def to_go(self) -> str:
        """Returns the bundle as JSON of go-attestation's PlatformParameters.

        Raises AttestationError for a PCR bank or a signature scheme that go-attestation does not support.
        """
        numbers = {alg: number for number, alg in GO_HASHES.items()}
        if unknown := {bank for bank, _ in self.values} - set(numbers):
            raise AttestationError("format", f"go-attestation has no PCR bank {min(unknown).name}")
        for _, signed in self.quotes:
            require_go_scheme(TPMT_SIGNATURE.parse(signed).sig_alg)
        document = {
            "Public": None if self.public is None else _base64(self.public.build()),
            "Quotes": [{"Quote": _base64(quote), "Signature": _base64(signed)} for quote, signed in self.quotes],
            "PCRs": [
                {"Index": number, "Digest": _base64(value), "DigestAlg": numbers[bank]}
                for (bank, number), value in self.values.items()
            ],
            "EventLog": None if self.event_log is None else _base64(self.event_log),
        }
        return json.dumps(document, indent=2)

    @classmethod
    def from_json(cls, data: bytes) -> "QuoteBundle":
        """Parses the JSON of `to_json` or `to_go`. Raises AttestationError if the JSON is not valid."""
        try:
            document = strict_json.loads(data)
        except ValueError as error:
            raise AttestationError("format", f"not valid JSON: {error}") from error
        if isinstance(document, dict) and {"AK", "Quote", "Log"} <= document.keys():
            document = _from_dump(document)
        if not isinstance(document, dict) or not document.keys() & {"message", "Quotes"}:
            raise AttestationError(
                "format", "not a valid quote: expected JSON of `tpmwire quote` or of go-attestation"
            )
        try:
            return cls._from_go(document) if "Quotes" in document else cls._from_own(document)
        except (KeyError, TypeError, ValueError, AttributeError, DecodeError, PolicyError) as error:
            reason = strict_json.describe_error(error)
            raise AttestationError("format", f"not a valid quote in JSON: {reason}") from error

    @classmethod
    def _from_own(cls, document: dict[str, Any]) -> "QuoteBundle":
        quote = bytes.fromhex(document["message"]), bytes.fromhex(document["signature"])
        public = _optional(document.get("public"), bytes.fromhex)
        return cls(
            (quote,),
            pcrs_from_json({} if document.get("pcrs") is None else document["pcrs"]),
            None if public is None else TPMT_PUBLIC.parse(public),
            _optional(document.get("event_log"), bytes.fromhex),
        )

    @classmethod
    def _from_go(cls, document: dict[str, Any]) -> "QuoteBundle":
        public = _optional(document.get("Public"), _from_base64)
        return cls(
            tuple(
                (_from_base64(one["Quote"]), _from_base64(one["Signature"])) for one in _items(document["Quotes"])
            ),
            _go_values(_items(document["PCRs"])),
            None if public is None else TPMT_PUBLIC.parse(public),
            _optional(document.get("EventLog"), _from_base64),
        )


def _go_values(pcrs: Iterable[dict[str, Any]]) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns the PCR values in go-attestation's list. Raises ValueError for an invalid or repeated PCR."""
    values: dict[tuple[TPM_ALG, int], bytes] = {}
    for one in pcrs:
        number = one["DigestAlg"]
        if type(number) is not int or number not in GO_HASHES:
            raise ValueError(f"the hash algorithm {number!a:.80} in DigestAlg is not supported")
        place = GO_HASHES[number], one["Index"]
        if type(place[1]) is not int or place in values:
            raise ValueError(f"PCR {place[1]} is repeated or not a whole number")
        values[place] = _from_base64(one["Digest"])
    return values


def _from_dump(document: dict[str, Any]) -> dict[str, Any]:
    """Returns PlatformParameters from the output of go-attestation's attest-tool.

    Raises AttestationError if the output is not valid.
    """
    try:
        return {
            "Public": document["AK"]["Public"],
            "Quotes": [document["Quote"]],
            "PCRs": document["Log"]["PCRs"],
            "EventLog": document["Log"]["Raw"],
        }
    except (KeyError, TypeError) as error:
        reason = strict_json.describe_error(error)
        raise AttestationError("format", f"not a valid dump of attest-tool: {reason}") from error


def _optional(text: str | None, parse: Callable[[str], bytes]) -> bytes | None:
    return None if text is None or text == "" else parse(text)


def _items(value: Any) -> list[Any]:
    """Returns the items of a JSON array; none for null, which Go writes for an empty slice."""
    if value is not None and not isinstance(value, list):
        raise TypeError
    return value or []


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)
