/* The locked instructions, by builtins and by hand, with the flags and results they leave. */
#include "guest.h"

static u8 byte;
static u16 word;
static u32 number;
static u64 quad;
static u64 pair[2] __attribute__((aligned(16)));

static u64 flags_of_compare(u64 *at, u64 expected, u64 desired, u64 *found)
{
    u64 flags;
    __asm__ volatile("lock cmpxchgq %3, %1\n\t"
                     "lea -128(%%rsp), %%rsp\n\tpushfq\n\tpop %0\n\tlea 128(%%rsp), %%rsp"
                     : "=r"(flags), "+m"(*at), "+a"(expected)
                     : "r"(desired)
                     : "cc", "memory");
    *found = expected;
    return flags & 0x8d5;
}

static int swap_pair(u64 low, u64 high, u64 new_low, u64 new_high)
{
    u8 done;
    __asm__ volatile("lock cmpxchg16b %1\n\tsete %0"
                     : "=q"(done), "+m"(pair), "+a"(low), "+d"(high)
                     : "b"(new_low), "c"(new_high)
                     : "cc", "memory");
    return done ? 1 : (int)(low & 0xff) + 2;
}

static u32 swap_eight(u64 *at, u64 expected, u64 desired)
{
    u32 low = (u32)expected, high = (u32)(expected >> 32);
    u8 done;
    __asm__ volatile("lock cmpxchg8b %1\n\tsete %0"
                     : "=q"(done), "+m"(*at), "+a"(low), "+d"(high)
                     : "b"((u32)desired), "c"((u32)(desired >> 32))
                     : "cc", "memory");
    return done + (low ^ high);
}

/* A stack without a lock: a tag beside the head, both exchanged at once. */
static struct node {
    struct node *next;
    u64 value;
} nodes[32];

static void push(struct node *node)
{
    for (;;) {
        u64 head = pair[0], tag = pair[1];
        node->next = (struct node *)head;
        if (swap_pair(head, tag, (u64)node, tag + 1) == 1)
            return;
    }
}

static struct node *pop(void)
{
    for (;;) {
        u64 head = pair[0], tag = pair[1];
        if (!head || swap_pair(head, tag, (u64)((struct node *)head)->next, tag + 1) == 1)
            return (struct node *)head;
    }
}

static u32 lock_word;

static u64 spin_lock_turns(u32 turns)
{
    u64 total = 0;
    while (turns--) {
        while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE))
            __builtin_ia32_pause();
        total += turns * turns;
        __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
    }
    return total;
}

static u64 fetch_operations(void)
{
    u64 seed = 21, sum = 0;
    for (u32 i = 0; i < 100; i++) {
        u64 value = next_random(&seed);
        sum = sum * 5 + __atomic_fetch_add(&byte, (u8)value, __ATOMIC_SEQ_CST);
        sum = sum * 5 + __atomic_fetch_sub(&word, (u16)value, __ATOMIC_SEQ_CST);
        sum = sum * 5 + __atomic_fetch_or(&number, (u32)value & 0x10101, __ATOMIC_SEQ_CST);
        sum = sum * 5 + __atomic_fetch_xor(&quad, value, __ATOMIC_SEQ_CST);
        sum = sum * 5 + __atomic_fetch_and(&quad, ~(value >> 7), __ATOMIC_SEQ_CST);
        sum = sum * 5 + __atomic_fetch_nand(&number, (u32)value, __ATOMIC_RELAXED);
        sum = sum * 5 + __atomic_exchange_n(&word, (u16)i, __ATOMIC_ACQ_REL);
        __atomic_or_fetch(&byte, 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&quad, i, __ATOMIC_SEQ_CST);
        __atomic_sub_fetch(&number, 1, __ATOMIC_SEQ_CST);
        sum += __sync_bool_compare_and_swap(&number, number, number + 1);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    return sum ^ byte ^ word ^ number ^ quad;
}

static u64 locked_by_hand(void)
{
    u64 at = 0x8000000000000000;
    u8 carry, zero;
    __asm__ volatile("lock negq %0\n\tsetc %1\n\tlock notq %0\n\tlock incq %0\n\tsetz %2\n\t"
                     "lock decq %0\n\tlock btsq $5, %0\n\tlock btrq $63, %0\n\tlock btcq $40, %0\n\t"
                     "lock adcq $3, %0\n\tlock sbbq $1, %0"
                     : "+m"(at), "=q"(carry), "=q"(zero)
                     :
                     : "cc");
    return at + carry * 2u + zero;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    print_value("fetch", fetch_operations());
    print_value("by hand", locked_by_hand());

    u64 at = 5, found;
    print_value("taken flags", flags_of_compare(&at, 5, 9, &found));
    print_value("taken", at << 8 | found);
    print_value("refused flags", flags_of_compare(&at, 5, 7, &found));
    print_value("refused", at << 8 | found);

    at = 0x1111222233334444;
    print_value("eight taken", swap_eight(&at, at, 0xaaaabbbbccccdddd));
    print_value("eight refused", swap_eight(&at, 1, 2));
    print_value("eight", at);

    for (u32 i = 0; i < COUNT(nodes); i++) {
        nodes[i].value = i * i;
        push(&nodes[i]);
    }
    u64 sum = 0;
    for (struct node *node; (node = pop());)
        sum = sum * 3 + node->value;
    print_value("lock-free stack", sum);
    print_value("tag", pair[1]);
    print_value("refused pair", (u64)swap_pair(1, 2, 3, 4));
    print_value("spin lock", spin_lock_turns(50));
}
