TITLE Calcium in the whole segment

COMMENT
One pool per segment, filled by a share of the calcium current through the surface into the volume
of a cylinder and emptied with one time constant.

    dcai/dt = -1e4 gamma ica (4 / diam) / (2 F) - (cai - minCai) / decay

1e4 takes mA/cm2 over um to mM/ms.

Kinetics:  Destexhe et al. 1994, J Neurophysiol 72:803, doi 10.1152/jn.1994.72.2.803, with the
           surface and volume of the segment in place of a shell
Constants: gamma and decay come from the fit; minCai 6.5e-5 mM as used by Reva et al. 2023, Patterns
           4:100855, doi 10.1016/j.patter.2023.100855. The defaults 0.01 (Helmchen et al. 1996,
           Biophys J 70:1069, a binding ratio of 100) and 70 ms (same, proximal apical dendrite)
           are those of that set.
Units:     ms, mM, mA/cm2, um. No temperature dependence.
Deviations: none.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX CaDynamics_DC0
    USEION ca READ ica WRITE cai
    RANGE decay, gamma, minCai
}

UNITS {
    (mA) = (milliamp)
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micron)
    FARADAY = (faraday) (coulomb)
}

PARAMETER {
    gamma = 0.01
    decay = 70 (ms)
    minCai = 6.5e-5 (mM)
}

ASSIGNED {
    diam (um)
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
    cai' = -(1e4) * gamma * ica * (4 / diam) / (2 * FARADAY) - (cai - minCai) / decay
}
