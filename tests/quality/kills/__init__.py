"""SIGKILL at random moments: whatever capsize was doing, nothing of it may be left on the machine."""
