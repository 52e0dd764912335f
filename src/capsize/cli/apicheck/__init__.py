"""``capsize api-check``: every endpoint of a running starter, a line for each check, and the success rate."""

from capsize.cli.apicheck.command import api_check_command

__all__ = ["api_check_command"]
