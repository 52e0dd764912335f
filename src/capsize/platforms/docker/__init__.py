"""Services as containers of a Docker engine, on a network of the run; needs the extra ``docker``."""
