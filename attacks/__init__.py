"""Adversarial attacks on quality metrics, one per file; the file name is the attack's name."""
