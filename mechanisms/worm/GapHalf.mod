TITLE Half of a gap junction

COMMENT
The current that one side of a gap junction sees: i = g * (v - vgap), with vgap the voltage of the
other side (the target of ParallelContext.target_var). A junction needs one half on each side;
with equal g on both it conserves current, with unequal g it does not (published trained halves
are unequal).

Source:    Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
Constants: none; g comes from the circuit.
Units:     ms, mV, nA, uS.
Deviations: none.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    POINT_PROCESS GapHalf
    NONSPECIFIC_CURRENT i
    RANGE g, vgap, i
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
}

PARAMETER {
    g = 0 (uS)
    vgap = -65 (mV)
}

ASSIGNED {
    v (mV)
    i (nA)
}

BREAKPOINT {
    i = g * (v - vgap)
}
