"""One runnable proof per signal: small programs that make the real producers emit, and what must come out."""
