"""Flux as it is seen: conditions to states, states to a board, and why a chart does not get ready."""

from wizard.flux.board import Board
from wizard.flux.conditions import Assessment, assess
from wizard.flux.diagnosis import Diagnosis, diagnose
from wizard.flux.kstatus import kstatus
from wizard.flux.watched import WATCHES, Watch, Watched, watched

__all__ = ["WATCHES", "Assessment", "Board", "Diagnosis", "Watch", "Watched", "assess", "diagnose", "kstatus", "watched"]
