"""Architectures of several classes: the file of an entry holds one."""
