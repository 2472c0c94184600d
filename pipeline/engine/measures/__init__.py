"""How far an attacked image is from the clear one."""
