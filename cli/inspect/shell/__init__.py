"""The syntax of `tpmwire send` and `tpmwire shell`: converts words to commands, values and authorizations."""
