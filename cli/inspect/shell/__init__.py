"""The language of `tpmwire send` and `tpmwire shell`: words to commands, values and authorizations."""
