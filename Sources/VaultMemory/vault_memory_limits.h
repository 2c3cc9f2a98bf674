/* vault_memory_limits.h - every figure that bounds locked memory, with its unit and its reason. */
#ifndef VAULT_MEMORY_LIMITS_H
#define VAULT_MEMORY_LIMITS_H

/* Freed, wiped pages that are kept: mapping one costs six system calls. Sixteen calls at once in a worker, each with a
 * handful of intermediate values. */
#define KEPT_PAGES_MAX 64

#endif
