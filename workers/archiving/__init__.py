"""From a finished remote job to a video in the archive that is proven, with its receipt."""
