"""From images to rows."""
