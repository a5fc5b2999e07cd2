"""The step debugger of recorded sessions: what each side knows after each message."""
