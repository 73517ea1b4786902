"""Reports for people: the QC page of labelled scans."""

from lookonce.report.qc import add_to_qc

__all__ = ["add_to_qc"]
