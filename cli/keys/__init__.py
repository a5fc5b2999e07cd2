"""Creates keys, stores them in a file or at a persistent handle, and wraps them for other TPMs."""
