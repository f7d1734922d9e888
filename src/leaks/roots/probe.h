/* SPDX-License-Identifier: BSD-2-Clause */
/* The second way to know the mappings. */
#ifndef STS_LEAKS_PROBE_H
#define STS_LEAKS_PROBE_H

#include "leaks/roots/roots.h"

/* As sts_roots_mappings(); of kinds only stacks are told apart. Neighbours that are read alike are one. */
bool sts_roots_probe(bool (*f)(void *arg, const struct sts_mapping *m), void *arg);

#endif
