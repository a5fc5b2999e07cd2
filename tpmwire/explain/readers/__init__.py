"""Readers of recordings, logs, pasted text and files: from bytes to TPM commands, responses and structures.

`recordings.open_recording` reads any input with commands and responses. `recordings.detect_recording` returns the
messages of an input or, if it has none, its bytes for the other readers. Each notation for bytes in text is an
entry of `forms.FORMS`.

Each log format is an entry of `logs.LOGS`: a pattern that matches a line of the log, and a function that takes the
log's lines and yields (is_command, message). `is_command` is None if the log does not show the direction.

The readers of recordings and logs work on a stream; their memory use does not grow with the input. They raise
InputError for an input that they cannot read.
"""
