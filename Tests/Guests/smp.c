/* Several vCPUs at once: a spin lock, a ticket lock, atomic counters, a barrier, and lines in
 * turn. Run with `--vcpus N --args @vcpu,N`. */
#include "guest.h"

enum { TURNS = 300 };

static u32 spin, tickets, serving, arrived, turn;
static u64 plain, ticketed, atomic, mixed;
static u64 pair[2] __attribute__((aligned(16)));

static void pause(void) { __asm__ volatile("pause"); }

static void take(u32 *lock)
{
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(lock, __ATOMIC_RELAXED))
            pause();
}

static void give(u32 *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

static void take_ticket(void)
{
    u32 own = __atomic_fetch_add(&tickets, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&serving, __ATOMIC_ACQUIRE) != own)
        pause();
}

static void wait_for_all(u32 count)
{
    __atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < count)
        pause();
}

/* Both halves move together or not at all. */
static void add_pair(u64 by)
{
    u64 low = pair[0], high = pair[1];
    u8 done;
    do
        __asm__ volatile("lock cmpxchg16b %1\n\tsete %0"
                         : "=q"(done), "+m"(pair), "+a"(low), "+d"(high)
                         : "b"(low + by), "c"(high - by)
                         : "cc", "memory");
    while (!done);
}

static void print_in_turn(u32 number)
{
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != number)
        pause();
    print_value("vcpu", number);
    __atomic_store_n(&turn, number + 1, __ATOMIC_RELEASE);
}

void guest_code(u64 first, u64 second)
{
    u32 number = (u32)first, count = (u32)second;
    for (u32 i = 0; i < TURNS; i++) {
        take(&spin);
        plain += number + 1;
        give(&spin);
        take_ticket();
        ticketed += i;
        __atomic_store_n(&serving, serving + 1, __ATOMIC_RELEASE);
        __atomic_add_fetch(&atomic, 1, __ATOMIC_RELAXED);
        __atomic_xor_fetch(&mixed, (u64)i << number, __ATOMIC_RELAXED);
        add_pair(number + i);
    }
    wait_for_all(count);
    print_in_turn(number);
    if (number)
        return;
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != count)
        pause();
    print_value("locked", plain);
    print_value("ticketed", ticketed);
    print_value("atomic", atomic);
    print_value("mixed", mixed);
    print_value("pair", pair[0]);
    print_value("balance", pair[0] + pair[1]);
}
