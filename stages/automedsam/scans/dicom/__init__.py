"""DICOM files and series as stacks of slices. Requires pydicom."""
