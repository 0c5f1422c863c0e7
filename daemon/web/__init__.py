"""The live page: what the daemon does, in a browser. Loaded only where `web.enabled` asks for it (extra `web`)."""
