"""``capsize serve``: run directories as a small web page of this machine, read-only, live while a run goes on."""
