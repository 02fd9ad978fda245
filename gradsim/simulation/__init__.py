"""Networks in memory: the plan of a sweep, blocks of networks, ensembles."""
