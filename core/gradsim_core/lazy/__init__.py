"""Random matrices that are never drawn as a whole: what they do to the vectors that they meet, from its exact law."""
