"""The parts of the HTML page: bytes, fields, cards, the rail of messages, sessions, style sheet and script."""
