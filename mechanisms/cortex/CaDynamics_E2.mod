TITLE Calcium in a shell below the membrane

COMMENT
One pool per segment, filled by a share of the calcium current and emptied with one time constant.

    dcai/dt = -1e4 gamma ica / (2 F depth) - (cai - minCai) / decay

1e4 takes mA/cm2 over um to mM/ms.

Kinetics:  Destexhe et al. 1994, J Neurophysiol 72:803, doi 10.1152/jn.1994.72.2.803
Constants: gamma and decay come from the fit; depth 0.1 um and minCai 1e-4 mM as used by Hay et al.
           2011, PLoS Comput Biol 7:e1002107, doi 10.1371/journal.pcbi.1002107, and kept by Markram
           et al. 2015, Cell 163:456, doi 10.1016/j.cell.2015.09.029. The defaults of gamma (0.05)
           and decay (80 ms) are those of Hay et al. too.
Units:     ms, mM, mA/cm2, um. No temperature dependence.
Deviations: starts at minCai (the published file starts at NEURON's cai0, 5e-5 mM).
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX CaDynamics_E2
    USEION ca READ ica WRITE cai
    RANGE decay, gamma, minCai, depth
}

UNITS {
    (mA) = (milliamp)
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micron)
    FARADAY = (faraday) (coulomb)
}

PARAMETER {
    gamma = 0.05
    decay = 80 (ms)
    depth = 0.1 (um)
    minCai = 1e-4 (mM)
}

ASSIGNED {
    ica (mA/cm2)
}

STATE {
    cai (mM)
}

BREAKPOINT {
    SOLVE states METHOD cnexp
}

INITIAL {
    cai = minCai
}

DERIVATIVE states {
    cai' = -(1e4) * gamma * ica / (2 * FARADAY * depth) - (cai - minCai) / decay
}
