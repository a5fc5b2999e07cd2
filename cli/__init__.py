"""The command line: puts tpmwire and sigv4 together."""
