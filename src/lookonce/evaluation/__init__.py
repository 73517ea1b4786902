"""How good a model's or any tool's disc labels are, on BIDS trees with known labels."""

from lookonce.evaluation.changes import Change
from lookonce.evaluation.run import Evaluation, Selection, case_record, evaluate

__all__ = ["Change", "Evaluation", "Selection", "case_record", "evaluate"]
