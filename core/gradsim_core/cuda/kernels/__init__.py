"""The kernels: networks by both methods, quantities, sums and histograms, and what a thread needs for them."""
