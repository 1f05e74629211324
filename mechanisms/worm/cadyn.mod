TITLE Calcium pool of a worm soma

COMMENT
One well-mixed pool, filled by the total calcium current density and emptied with a time constant
of 50 ms towards its rest. Above 60 mV, where the calcium current would turn outward, only the
decay acts.

Published: dCa/dt = -f * I * 1e6 / (2 * F * vcell) - (Ca - 0.05) / 50, Ca in uM, I the number of
           mA/cm2, vcell in um3, time in ms. The volume is the same for every cell.
Here:      the same law with cai in mM, the ion's canonical unit: both sides times 1e-3, hence
           1e3 in place of 1e6 and a rest of 5e-5 mM (0.05 uM).
Kinetics:  Nicoletti et al. 2019, PLoS ONE 14:e0218738, doi 10.1371/journal.pone.0218738
Constants: as used by Zhao et al. 2024, Nat Comput Sci 4:978-990, doi 10.1038/s43588-024-00738-w
Units:     ms, mV, mM, mA/cm2, um3. The current is a density, so that 1e3 is a published scale
           and not a conversion of units; with these constants the pool hardly leaves its rest.
Deviations: cai starts at rest. The published start is the simulator's default number, 5e-5, read
           as uM there: practically zero, and at rest after about 0.2 s.
Written from the equations; SPDX-License-Identifier: Apache-2.0
ENDCOMMENT

NEURON {
    THREADSAFE
    SUFFIX cadyn
    USEION ca READ ica WRITE cai VALENCE 2
    RANGE f, vcell, tau, carest
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (mM) = (milli/liter)
    (um) = (micron)
}

PARAMETER {
    f = 0.001
    vcell = 31.16 (um3)
    tau = 50 (ms)
    carest = 5e-5 (mM)
    vmax = 60 (mV)
    faraday = 96485 (coulomb)
}

ASSIGNED {
    v (mV)
    ica (mA/cm2)
    influx (mM/ms)
}

STATE {
    cai (mM)
}

BREAKPOINT {
    SOLVE states METHOD cnexp
}

INITIAL {
    cai = carest
}

DERIVATIVE states {
    influx = filling(v, ica)
    cai' = influx - (cai - carest) / tau
}

FUNCTION filling(v (mV), current (mA/cm2)) (mM/ms) {
UNITSOFF
    IF (v <= vmax) {
        filling = -f * current * 1e3 / (2 * faraday * vcell)
    } ELSE {
        filling = 0
    }
UNITSON
}
