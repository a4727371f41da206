"""Reports: what was computed, as JSON, as text, and as one offline page."""
