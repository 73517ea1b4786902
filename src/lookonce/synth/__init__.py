"""Simulated spine MRI with exact disc truth; numpy and scipy only."""

from lookonce.synth.scan import SimulatedScan, SimulatedSlab, simulate_scan, simulate_slab

__all__ = ["SimulatedScan", "SimulatedSlab", "simulate_scan", "simulate_slab"]
