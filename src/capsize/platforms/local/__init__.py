"""Services as supervised processes of this machine, with a PostgreSQL of their own."""

from capsize.platforms.local.platform import LocalPlatform

__all__ = ["LocalPlatform"]
