"""Readers of recordings, logs, pasted text and files: from bytes to TPM commands, responses and structures.

`recordings.open_recording` reads any input with commands and responses. `recordings.detect_recording` returns
the bytes of an input without them, for other readers. A notation of bytes in text is an entry of `forms.FORMS`.

A log with its own layout has an entry in `logs.LOGS`: a pattern that a line of the log matches, and a function
that takes the log's lines and yields (is_command, message). `is_command` is None if the log does not show the
direction.

All readers work on a stream, raise InputError for an input that they cannot read, and use memory that does not
grow with the input.
"""
