"""The user interface: options, files, prompts, messages and colors."""
