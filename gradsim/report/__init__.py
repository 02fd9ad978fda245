"""What people look at: tables as text, pictures and pages."""
