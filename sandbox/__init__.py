"""The two video APIs of Azure OpenAI, pretend: a server for anybody to start, with quotas and real MP4s.

`sandbox.config.SandboxConfig` has the knobs, `sandbox.server.SandboxServer` serves them. Nothing is imported
here, so that the knobs can be read without the packages of the `sandbox` extra.
"""
