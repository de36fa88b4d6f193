"""One GET request: parameters, rate limit, signature, transport, and the decoded response."""
