"""PostgreSQL as the proxy reads it: message boundaries, statements, and rules on them."""
