"""What the trained systems show on moving digits: experiments, claims, and the page that states them."""
