"""The pre-save hook for Jupyter's server, by the path that users name in their configuration."""

from __future__ import annotations

from bgresearch.agent.jupyter_hook import refuse_secrets, refuse_secrets_of_agent

__all__ = ["refuse_secrets", "refuse_secrets_of_agent"]
