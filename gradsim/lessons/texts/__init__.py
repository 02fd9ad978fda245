"""What the pages of the lessons say, in English and Chinese: a module for each lesson, and one for the frame of every page."""
