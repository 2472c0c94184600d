"""How figures are laid out: panels, maps of colours, scales of gains, names beside points, and what has no room."""
