"""How fast a provider may be called: the limiter, its rules, token buckets and circuit breaker, the headers it reads, the one retry loop."""
