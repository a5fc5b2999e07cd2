"""Serves temporary credentials to AWS SDKs with the protocols of ECS and EC2."""
