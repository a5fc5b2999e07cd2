"""Readers of recordings, logs, pasted text and files: from bytes to TPM commands, responses and structures.

`recordings.open_recording` reads any input with commands and responses. A log with its own layout has an entry in
`logs.LOGS`: a pattern that a line of the log matches, and a function that takes the log's lines and yields
(is_command, message). `is_command` is None if the log does not show the direction. All readers work on a stream,
raise InputError for an input that they cannot read, and use memory that does not grow with the input.
"""
