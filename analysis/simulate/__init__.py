"""Forward simulation: from a stated truth to raw files as the instruments write them."""
