"""The verdict on a training: what it learns from, which objective it climbs, where it leads."""
