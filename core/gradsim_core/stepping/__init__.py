"""What training steps of random networks take from compiled code: normals of many networks, and activations."""
