"""Still images: which files hold one, and their pixels in sRGB."""
