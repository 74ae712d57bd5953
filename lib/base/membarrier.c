/* SPDX-License-Identifier: MIT */
/* membarrier.c - see membarrier.h. */
#include "config.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/membarrier.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;

static void setup(void)
{
    usable = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

bool tri_membarrier_setup(void)
{
    (void)pthread_once(&once, setup);
    return usable;
}

void tri_membarrier(void)
{
    TRI_ASSERT(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
}
