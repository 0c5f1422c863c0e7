"""How fast a provider may be called: the limiter, its token buckets, the headers it reads, the one retry loop."""
