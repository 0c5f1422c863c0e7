"""Fakes we ship and use ourselves, for tests of this project and of whoever builds on it.

`chat` a scripted language model, `server` one behind a loopback socket, `student` a trainer without torch, `encoder` a
tiny random-weight encoder folder, `tiny_causal` a language model's.
"""
