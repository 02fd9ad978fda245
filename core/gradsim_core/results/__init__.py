"""From sums of squares to quantities, and from quantities to statistics that merge exactly."""
