"""DICOM: scans from folders, files, zips and DICOMDIRs, and results as objects of the same study.

pydicom and highdicom (the extra ``dicom``) are imported only when a DICOM input is there.
"""
