"""The user interface in a terminal: options, files, prompts, messages and colors."""
