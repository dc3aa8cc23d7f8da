"""X-ray nanodiffraction: detector frames to superlattice maps with uncertainties."""
