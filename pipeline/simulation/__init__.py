"""Engines behind one small interface: check(plan), run(plan)."""
