/* Copyright (c) 2026 The async_resource authors
 * Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
 * https://www.boost.org/LICENSE_1_0.txt)
 */

#ifndef SLOW_C_H
#define SLOW_C_H

/* A C library as there are many: it has a thread of its own, and calls back from there. Errors are errno's, 0 is none. */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct slow_adder slow_adder;

/* Null: there is no memory, or no thread. */
slow_adder* slow_open(void);
/* Once the last sum has called back. */
void slow_close(slow_adder*);

/* Adds, which takes a millisecond for each unit of the result, then calls done; if cancelled, early and with ECANCELED.
 * Returns EBUSY if the adder is still adding; then done is not called. */
int slow_sum(slow_adder*, int a, int b, void (*done)(int result, int error, void* context), void* context);
/* In any thread. Without effect if there is nothing to cancel. */
void slow_cancel(slow_adder*);

#ifdef __cplusplus
}
#endif

#endif
