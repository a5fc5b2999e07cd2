"""Servers that hand temporary credentials to AWS SDKs, as ECS and EC2 do."""
