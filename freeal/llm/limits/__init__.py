"""How fast a provider may be called: limiter, its rules, buckets and circuit breaker, rate limit headers, retries."""
