/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the host's threads and the tracing task: see session.h, "Threads". */
#ifndef STS_GATE_H
#define STS_GATE_H

#include "control/model.h"

int sts_gate_open(struct stasis_session *s);
/* Ends the tracing task's work. false: not ours to end (a forked child's copy). */
bool sts_gate_close(struct stasis_session *s);

#endif
