#include "vault_memory.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vault_memory_limits.h"

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
/* First accessible byte of freed regions. Only locked ones are kept, so that a raised limit takes effect. */
static uint8_t *kept[KEPT_PAGES_MAX];
static size_t kept_count;
static uint64_t unlocked_count;

static size_t page_size(void)
{
    static size_t cached;
    size_t value = __atomic_load_n(&cached, __ATOMIC_RELAXED);
    if (value == 0) {
        value = (size_t)sysconf(_SC_PAGESIZE);
        __atomic_store_n(&cached, value, __ATOMIC_RELAXED);
    }
    return value;
}

static size_t round_to_pages(size_t size)
{
    size_t page = page_size();
    return (size + page - 1) / page * page;
}

static uint8_t *map_fenced(size_t length, int *locked)
{
    size_t page = page_size();
    uint8_t *fence = mmap(NULL, length + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fence == MAP_FAILED) {
        return NULL;
    }
    uint8_t *data = fence + page;
    if (mprotect(data, length, PROT_READ | PROT_WRITE) != 0) {
        munmap(fence, length + 2 * page);
        return NULL;
    }
    /* Advice may be refused by an old kernel; the pages then still are locked and wiped. */
    (void)madvise(data, length, MADV_DONTDUMP);
    (void)madvise(data, length, MADV_WIPEONFORK);
    *locked = mlock(data, length) == 0;
    return data;
}

void *datong_vault_memory_allocate(size_t size, int *locked)
{
    if (size == 0) {
        size = 1;
    }
    size_t page = page_size();
    if (size > SIZE_MAX / 2 - 3 * page) {
        errno = ENOMEM;
        return NULL;
    }
    size_t length = round_to_pages(size);
    uint8_t *data = NULL;
    *locked = 1;
    if (length == page) {
        pthread_mutex_lock(&guard);
        if (kept_count > 0) {
            kept_count--;
            data = kept[kept_count];
        }
        pthread_mutex_unlock(&guard);
    }
    if (data == NULL) {
        data = map_fenced(length, locked);
        if (data == NULL) {
            return NULL;
        }
    }
    if (!*locked) {
        __atomic_add_fetch(&unlocked_count, 1, __ATOMIC_RELAXED);
    }
    return data + (length - size);
}

void datong_vault_memory_release(void *bytes, size_t size, int locked)
{
    if (bytes == NULL) {
        return;
    }
    if (size == 0) {
        size = 1;
    }
    size_t page = page_size();
    size_t length = round_to_pages(size);
    uint8_t *data = (uint8_t *)bytes + size - length;
    explicit_bzero(data, length);
    if (!locked) {
        __atomic_sub_fetch(&unlocked_count, 1, __ATOMIC_RELAXED);
    } else if (length == page) {
        pthread_mutex_lock(&guard);
        int keep = kept_count < KEPT_PAGES_MAX;
        if (keep) {
            kept[kept_count] = data;
            kept_count++;
        }
        pthread_mutex_unlock(&guard);
        if (keep) {
            return;
        }
    }
    munmap(data - page, length + 2 * page);
}

void datong_vault_memory_wipe(void *bytes, size_t size)
{
    if (size > 0) {
        explicit_bzero(bytes, size);
    }
}

int datong_vault_memory_equal(const void *left, const void *right, size_t size)
{
    const volatile uint8_t *a = left;
    const volatile uint8_t *b = right;
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference |= a[i] ^ b[i];
    }
    return difference == 0;
}

uint64_t datong_vault_memory_unlocked_regions(void)
{
    return __atomic_load_n(&unlocked_count, __ATOMIC_RELAXED);
}

int datong_vault_memory_harden_process(void)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return -1;
    }
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int datong_vault_memory_process_is_hardened(void)
{
    struct rlimit core = {1, 1};
    return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}
