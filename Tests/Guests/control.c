/* Control flow: jump tables, recursion of each kind, function pointers, computed goto. */
#include "guest.h"

static NOINLINE u64 big_switch(u32 selector, u64 value)
{
    switch (selector) {
    case 0: return value + 1;
    case 1: return value - 3;
    case 2: return value ^ value >> 7;
    case 3: return value * 9;
    case 4: return value / 5;
    case 5: return value % 1000003;
    case 6: return ~value;
    case 7: return -value;
    case 8: return value << 3;
    case 9: return value >> 5;
    case 10: return value | 0x8421;
    case 11: return value & ~0x1248ul;
    case 12: return value * value;
    case 13: return (u64)((i64)value / 7);
    case 14: return (u64)((i64)value % 13);
    case 15: return (u64)(i32)value;
    case 16: return (u16)value;
    case 17: return (u64)(i8)value;
    case 18: return value / 255;
    case 19: return (u32)value / 3;
    case 20: return (u64)((i32)value / 10);
    case 40: return value + 40;
    case 41: return value * 41;
    case 42: return value ^ 42;
    case 1000: return value + 1000;
    case 100000: return value ^ 100000;
    default: return value + selector;
    }
}

static NOINLINE u32 ackermann(u32 m, u32 n)
{
    if (!m)
        return n + 1;
    return ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

static u64 hanoi_moves;

static NOINLINE void hanoi(int disks, int from, int to, int spare)
{
    if (!disks)
        return;
    hanoi(disks - 1, from, spare, to);
    hanoi_moves = hanoi_moves * 9 + (u64)(from * 3 + to);
    hanoi(disks - 1, spare, to, from);
}

static int is_odd(u32 number);
static NOINLINE int is_even(u32 number) { return number ? is_odd(number - 1) : 1; }
static NOINLINE int is_odd(u32 number) { return number ? is_even(number - 1) : 0; }

static NOINLINE u64 deep(u32 depth, u64 value)
{
    volatile u64 held[4] = {value, depth, value ^ depth, 1};
    if (!depth)
        return value;
    return deep(depth - 1, value * 3 + held[2]) + held[depth & 3];
}

typedef u64 step(u64);
static u64 add_seven(u64 value) { return value + 7; }
static u64 times_eleven(u64 value) { return value * 11; }
static u64 fold_down(u64 value) { return value ^ value >> 9; }
static step *const steps[] = {add_seven, times_eleven, fold_down};

struct shape {
    u64 (*area)(const struct shape *);
    u32 width, height;
};
static u64 rectangle(const struct shape *s) { return (u64)s->width * s->height; }
static u64 triangle(const struct shape *s) { return (u64)s->width * s->height / 2; }

static NOINLINE u64 through_labels(const u8 *program, u64 value)
{
    static void *const labels[] = {&&end, &&twice, &&more, &&flip, &&less};
    goto *labels[*program];
twice:
    value *= 2;
    goto *labels[*++program];
more:
    value += 1000;
    goto *labels[*++program];
flip:
    value = ~value;
    goto *labels[*++program];
less:
    value -= 17;
    goto *labels[*++program];
end:
    return value;
}

struct large {
    u64 parts[9];
};

static NOINLINE struct large by_value(struct large in, u8 a, i16 b, u32 c, i64 d, u64 e, u8 f, i8 g)
{
    in.parts[a & 7] += (u64)b;
    in.parts[c % 9] ^= (u64)d;
    in.parts[e % 9] -= f;
    in.parts[8] += (u64)g;
    return in;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    u64 value = 0x123456789abcdef0;
    for (u32 i = 0; i < 600; i++)
        value = value * 3 + big_switch(i % 45, value) + big_switch(i * 1000 % 101000, value);
    print_value("switch", value);
    print_value("ackermann", ackermann(2, 12));
    hanoi(9, 0, 2, 1);
    print_value("hanoi", hanoi_moves);
    print_value("parity", (u64)(is_even(200) * 2 + is_odd(101)));
    print_value("deep", deep(400, 1));

    for (u32 i = 0; i < 200; i++)
        value = steps[(value >> 3 ^ i) % COUNT(steps)](value);
    print_value("pointers", value);
    struct shape shapes[6];
    for (u32 i = 0; i < COUNT(shapes); i++)
        shapes[i] = (struct shape){i & 1 ? rectangle : triangle, i + 3, i * i};
    for (u32 i = 0; i < COUNT(shapes); i++)
        value += shapes[i].area(&shapes[i]);
    print_value("methods", value);
    print_value("labels", through_labels((const u8 *)"\1\2\3\1\4\4\2\3\1", 5));

    struct large large = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};
    for (u32 i = 0; i < 50; i++)
        large = by_value(large, (u8)i, (i16)-(i32)i, i * 7, -5l * i, value + i, (u8)(3 * i), (i8)i);
    print_value("by value", digest(&large, sizeof large));
}
