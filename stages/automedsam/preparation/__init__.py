"""The prepare stage: from scans and boxes to 8-bit images, splits, and an index of cases."""
