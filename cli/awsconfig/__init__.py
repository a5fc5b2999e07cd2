"""The files under ~/.aws: profiles are found and edited here."""
