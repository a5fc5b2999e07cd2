"""What the user types and reads: options, files, prompts, messages and colors."""
