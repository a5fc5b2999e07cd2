"""Names and authValues of the entities in a recording, by handle, collected while the recording is read."""

from typing import Any

from ..crypto.formulas import handle_name, nv_name_of, trimmed
from ..errors import EncodeError
from ..secret import EMPTY_AUTH, Secret
from ..spec.command import Command
from ..spec.constants import TPM_CC
from ..spec.properties import TPMA_NV
from ..spec.storage import TPMS_NV_PUBLIC
from .bounds import Recent

__all__ = ["Entities"]

LIMIT = 1000
"""Maximum number of authValues that are tried for an HMAC, because a recording can have any number."""

_NV_CHANGES = {
    TPM_CC.NV_Write: TPMA_NV.WRITTEN,
    TPM_CC.NV_Increment: TPMA_NV.WRITTEN,
    TPM_CC.NV_Extend: TPMA_NV.WRITTEN,
    TPM_CC.NV_SetBits: TPMA_NV.WRITTEN,
    TPM_CC.NV_WriteLock: TPMA_NV.WRITELOCKED,
    TPM_CC.NV_ReadLock: TPMA_NV.READLOCKED,
}
"""Attributes that a command sets in an index's public area, and so in its Name (Part 3, §31)."""

_AUTH_FIELDS = ("auth", "new_auth")


class Entities:
    """Names and authValues by handle. The user gives authValues; the others come from the recording."""

    def __init__(self, auths: tuple[Secret, ...] = ()) -> None:
        self._auths: list[Secret] = []
        for auth in (EMPTY_AUTH, *auths):
            self._add(auth)
        self._by_handle: Recent[int, Secret] = Recent()
        self._names: Recent[int, bytes] = Recent()
        self._indices: Recent[int, TPMS_NV_PUBLIC] = Recent()
        self._privates: Recent[bytes, Secret] = Recent()
        self._contexts: Recent[bytes, tuple[bytes | None, Secret | None]] = Recent()

    def name(self, handle: int) -> bytes | None:
        """Returns the Name of the entity at a handle; None if the recording does not have it."""
        return handle_name(handle) or self._names.get(handle)

    def auths(self, handle: int | None) -> list[Secret]:
        """Returns candidates for an entity's authValue, the most likely first.

        Without a handle, the only candidate is the empty authValue.
        """
        if handle is None:
            return [EMPTY_AUTH]
        first = self._by_handle.get(handle)
        return self._auths if first is None else [first, *(auth for auth in self._auths if auth != first)]

    def knows(self, handle: int) -> bool:
        """Returns whether the entity's authValue is certain: proven by an HMAC, or sent unencrypted."""
        return handle in self._by_handle

    def auth_is(self, handle: int, auth: Secret) -> None:
        """Records the authValue of an entity. The value was proven by an HMAC, or sent unencrypted."""
        self._by_handle[handle] = Secret(trimmed(auth.reveal()))
        self._add(auth)

    def learn(self, command: Command, response: Any) -> None:
        """Records Names and authValues of a successful command and its response, both decrypted."""
        values = vars(command)
        sensitive: Any = values.get("in_sensitive")
        created = Secret(sensitive.user_auth) if hasattr(sensitive, "user_auth") else None
        fields = vars(response)
        handle = fields.get("object_handle", fields.get("sequence_handle", values.get("object_handle")))
        for name in _AUTH_FIELDS:
            if isinstance(values.get(name), bytes):
                created = Secret(values[name])
        if created is not None:
            self._add(created)
        if "object_handle" in fields and created is not None:
            self.auth_is(fields["object_handle"], created)
        if isinstance(fields.get("name"), bytes) and handle is not None:
            self._names[handle] = fields["name"]
        self._by_command(command, fields, handle, created)

    def _by_command(self, command: Any, fields: dict[str, Any], handle: Any, created: Secret | None) -> None:
        code = command.code
        if "sequence_handle" in fields:
            self._names[handle] = b""
            self.auth_is(handle, created or EMPTY_AUTH)
        elif code == TPM_CC.Create and created is not None:
            self._privates[fields["out_private"]] = created
        elif code == TPM_CC.Load and command.in_private in self._privates:
            self.auth_is(fields["object_handle"], self._privates[command.in_private])
        elif code == TPM_CC.NV_DefineSpace:
            self._index(command.public_info.nv_index, command.public_info)
            self.auth_is(command.public_info.nv_index, created or EMPTY_AUTH)
        elif code == TPM_CC.NV_ReadPublic:
            self._index(command.nv_index, fields["nv_public"])
            self._names[command.nv_index] = fields["nv_name"]
        elif code in _NV_CHANGES and (public := self._indices.get(command.nv_index)) is not None:
            changed = {**vars(public), "attributes": TPMA_NV(public.attributes | _NV_CHANGES[code])}
            self._index(command.nv_index, TPMS_NV_PUBLIC(**changed))
        elif code in (TPM_CC.HierarchyChangeAuth, TPM_CC.NV_ChangeAuth) and created is not None:
            self.auth_is(command.auth_handle if code == TPM_CC.HierarchyChangeAuth else command.nv_index, created)
        elif code == TPM_CC.EvictControl:
            self._evict(command.object_handle, command.persistent_handle)
        elif code == TPM_CC.FlushContext:
            self.forget(command.flush_handle)
        elif code == TPM_CC.ContextSave:
            saved = command.save_handle
            self._contexts[fields["context"].build()] = self._names.get(saved), self._by_handle.get(saved)
        elif code == TPM_CC.ContextLoad:
            self._take_over(fields["loaded_handle"], *self._contexts.get(command.context.build(), (None, None)))

    def forget(self, handle: int) -> None:
        """Forgets a handle that the TPM has freed, because a different entity can get the handle."""
        self._names.pop(handle, None)
        self._by_handle.pop(handle, None)

    def _evict(self, handle: int, persistent: int) -> None:
        if handle == persistent:
            self.forget(handle)
        else:
            self._take_over(persistent, self._names.get(handle), self._by_handle.get(handle))

    def _take_over(self, handle: int, name: bytes | None, auth: Secret | None) -> None:
        self.forget(handle)
        if name is not None:
            self._names[handle] = name
        if auth is not None:
            self._by_handle[handle] = auth

    def _index(self, handle: int, public: TPMS_NV_PUBLIC) -> None:
        self._indices[handle] = public
        try:
            self._names[handle] = nv_name_of(public)
        except EncodeError:
            self._names.pop(handle, None)  # the hash algorithm is unknown

    def _add(self, auth: Secret) -> None:
        auth = Secret(trimmed(auth.reveal()))
        if auth not in self._auths and len(self._auths) < LIMIT:
            self._auths.append(auth)
