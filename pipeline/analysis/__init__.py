"""From recorded files to numbers: structure, activity, comparison with publications."""
