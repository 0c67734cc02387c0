/* Bit tricks by builtins and by the instructions that compilers seldom emit, flags included. */
#include "guest.h"

enum { ARITHMETIC = 0x8d5 /* OF SF ZF AF PF CF */, NO_AUXILIARY = 0x8c5 };

static u64 words[40];

/* Takes the flags without touching the red zone below the stack. */
#define FLAGS_TO(place)                                                                      \
    "\n\tlea -128(%%rsp), %%rsp\n\tpushfq\n\tpop " place "\n\tlea 128(%%rsp), %%rsp"

static NOINLINE u64 builtins(u64 value)
{
    u64 sum = (u64)__builtin_popcountl(value);
    sum = sum * 67 + (u64)__builtin_parityl(value);
    sum = sum * 67 + (u64)__builtin_clzl(value | 1);
    sum = sum * 67 + (u64)__builtin_ctzl(value | 1ul << 63);
    sum = sum * 67 + (u64)__builtin_ffsl((i64)value);
    sum = sum * 67 + (u64)__builtin_clz((u32)value | 1);
    sum = sum * 67 + (u64)__builtin_clrsbl((i64)value);
    return sum ^ __builtin_bswap64(value) ^ __builtin_bswap32((u32)value)
        ^ __builtin_bswap16((u16)value);
}

static NOINLINE u64 rotate(u64 value, u32 count)
{
    u64 left = value << (count & 63) | value >> (-count & 63);
    u32 right = (u32)value >> (count & 31) | (u32)value << (-count & 31);
    u16 narrow = (u16)((u16)value << (count & 15) | (u16)value >> (-count & 15));
    u8 byte = (u8)((u8)value << (count & 7) | (u8)value >> (-count & 7));
    return left ^ right ^ (u64)narrow << 16 ^ (u64)byte << 56;
}

/* value = instruction(value, CL) with CF set on entry; the flags named by the mask are folded in. */
#define SHIFT(name, instruction, width, mask)                                                \
    static NOINLINE u64 name(u64 value, u8 count, u64 other)                                 \
    {                                                                                        \
        u64 flags;                                                                           \
        __asm__ volatile("cmp %%cl, %%cl\n\tstc\n\t" instruction FLAGS_TO("%0")              \
                         : "=&r"(flags), "+&r"(value)                                        \
                         : "c"(count), "r"(other)                                            \
                         : "cc", "memory");                                                  \
        return value ^ (flags & (mask)) << 32;                                               \
    }
SHIFT(rotate_carry_left, "rclq %%cl, %1", 64, 1)
SHIFT(rotate_carry_right, "rcrq %%cl, %1", 64, 1)
SHIFT(rotate_carry_left32, "rcll %%cl, %k1", 32, 1)
SHIFT(rotate_carry_right16, "rcrw %%cl, %w1", 16, 1)
SHIFT(rotate_carry_left8, "rclb %%cl, %b1", 8, 1)
SHIFT(rotate_left, "rolq %%cl, %1", 64, 1)
SHIFT(rotate_right, "rorl %%cl, %k1", 32, 1)
SHIFT(shift_double_left, "shldq %%cl, %3, %1", 64, 1)
SHIFT(shift_double_right, "shrdl %%cl, %k3, %k1", 32, 1)
SHIFT(shift_arithmetic, "sarq %%cl, %1", 64, 0xc5)
SHIFT(shift_logical, "shrl %%cl, %k1", 32, 0xc5)

typedef u64 shift(u64, u8, u64);
static shift *const shifts[] = {
    rotate_carry_left,    rotate_carry_right, rotate_carry_left32, rotate_carry_right16,
    rotate_carry_left8,   rotate_left,        rotate_right,        shift_double_left,
    shift_double_right,   shift_arithmetic,   shift_logical,
};

/* result = instruction(left, right), and all flags that it defines. */
#define ARITHMETIC_OPERATION(name, instruction, mask)                                        \
    static NOINLINE u64 name(u64 left, u64 right)                                            \
    {                                                                                        \
        u64 flags;                                                                           \
        __asm__ volatile("stc\n\t" instruction FLAGS_TO("%0")                                \
                         : "=&r"(flags), "+&r"(left)                                         \
                         : "r"(right)                                                        \
                         : "cc", "memory", "rax", "rdx");                                    \
        return left ^ (flags & (mask)) << 20;                                                \
    }
ARITHMETIC_OPERATION(add_carry, "adcq %2, %1", ARITHMETIC)
ARITHMETIC_OPERATION(subtract_borrow, "sbbq %2, %1", ARITHMETIC)
ARITHMETIC_OPERATION(add_byte, "addb %b2, %b1", ARITHMETIC)
ARITHMETIC_OPERATION(subtract_word, "subw %w2, %w1", ARITHMETIC)
ARITHMETIC_OPERATION(negate, "negl %k1", ARITHMETIC)
ARITHMETIC_OPERATION(increment, "incb %b1", ARITHMETIC)
ARITHMETIC_OPERATION(decrement, "decw %w1", ARITHMETIC)
ARITHMETIC_OPERATION(exclusive, "xorb %b2, %b1", NO_AUXILIARY)
ARITHMETIC_OPERATION(multiply, "imulw %w2, %w1", 0x801)
ARITHMETIC_OPERATION(multiply_wide, "mov %1, %%rax\n\timulq %2\n\tmov %%rdx, %1", 0x801)
#define EXCHANGE_ADD                                                                         \
    "lea -128(%%rsp), %%rsp\n\tpush %1\n\txaddq %2, (%%rsp)\n\tpop %1\n\t"                     \
    "lea 128(%%rsp), %%rsp\n\tsub %2, %1"
ARITHMETIC_OPERATION(exchange_add, EXCHANGE_ADD, 1)
ARITHMETIC_OPERATION(load_flags, "mov %1, %%rax\n\tsahf\n\tsetp %%al\n\tlahf\n\tmov %%rax, %1", 0xd5)
ARITHMETIC_OPERATION(widen,
                     "mov %1, %%rax\n\tcbtw\n\tcwtl\n\tcltd\n\tcltq\n\tcqto\n\t"
                     "xor %%rax, %1\n\tsub %%rdx, %1",
                     0)
ARITHMETIC_OPERATION(high_bytes,
                     "mov %1, %%rax\n\tmov %2, %%rdx\n\tadd %%ah, %%dl\n\txchg %%al, %%ah\n\t"
                     "sub %%dh, %%ah\n\tlea (%%rax,%%rdx,4), %1",
                     0)

typedef u64 operation(u64, u64);
static operation *const operations[] = {
    add_carry, subtract_borrow, add_byte, subtract_word, negate,     increment, decrement,
    exclusive, multiply,        multiply_wide, exchange_add, load_flags, widen, high_bytes,
};

/* A register bit offset reaches beyond the operand, also backwards. */
static NOINLINE u64 bit_strings(i64 offset)
{
    u64 *middle = words + 20;
    u8 carries[4];
    __asm__ volatile("btsq %5, %4\n\tsetc %0\n\tbtrl %k6, %4\n\tsetc %1\n\t"
                     "btcw %w7, %4\n\tsetc %2\n\tbtq %5, %4\n\tsetc %3"
                     : "=m"(carries[0]), "=m"(carries[1]), "=m"(carries[2]), "=m"(carries[3]),
                       "+m"(*middle)
                     : "r"(offset), "r"(-offset), "r"(offset / 2)
                     : "cc", "memory");
    return (u64)(carries[0] | carries[1] << 1 | carries[2] << 2 | carries[3] << 3);
}

static NOINLINE u64 scan(u64 value)
{
    u64 forward = 99, reverse = 99, zero;
    __asm__ volatile("bsfq %3, %0\n\tsetz %b2\n\tbsrq %3, %1"
                     : "+r"(forward), "+r"(reverse), "=q"(zero)
                     : "r"(value | 0x1000)
                     : "cc");
    return forward << 32 | reverse << 8 | (zero & 1);
}

static u64 table_lookup(const u8 *table, u64 count)
{
    u64 sum = 0;
    for (u64 i = 0; i < count; i++) {
        u64 index = i * 5 & 15;
        __asm__ volatile("xlatb" : "+a"(index) : "b"(table) : "memory");
        sum = sum * 7 + index;
    }
    return sum;
}

static NOINLINE u64 loops(u64 count)
{
    u64 sum = 0, spare = count;
    __asm__ volatile("1:\n\tadd %%rcx, %0\n\tloop 1b\n\t"
                     "mov %2, %%rcx\n2:\n\tdec %0\n\tcmp $0, %0\n\tloopne 2b\n\t"
                     "xor %%ecx, %%ecx\n\tjrcxz 3f\n\tmov $-1, %0\n3:\n\t"
                     "mov $5, %%ecx\n\tcmp %%eax, %%eax\n4:\n\tloope 4b\n\tadd %%rcx, %0"
                     : "+&r"(sum), "+&c"(count)
                     : "r"(spare)
                     : "cc");
    return sum;
}

static NOINLINE u64 stack_frames(u64 value)
{
    u64 result;
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpush %%rbp\n\tmov %%rsp, %%rbp\n\t"
                     "enter $32, $2\n\tmov %1, -24(%%rbp)\n\tpushq $-7\n\tpop %0\n\t"
                     "add -24(%%rbp), %0\n\tpushw $0x1234\n\tpopw %w0\n\tleave\n\t"
                     "pop %%rbp\n\tlea 128(%%rsp), %%rsp"
                     : "=&r"(result)
                     : "r"(value)
                     : "cc", "memory");
    return result;
}

static NOINLINE u64 conditions(i64 left, i64 right)
{
    u64 bits = 0;
    bits |= (u64)(left < right) << 0 | (u64)(left <= right) << 1;
    bits |= (u64)((u64)left < (u64)right) << 2 | (u64)((u64)left <= (u64)right) << 3;
    bits |= (u64)((i8)left > (i8)right) << 4 | (u64)((u16)left >= (u16)right) << 5;
    bits |= (u64)((i32)left != (i32)right) << 6 | (u64)((left & right) < 0) << 7;
    i64 larger = left > right ? left : right, smaller = (u64)left < (u64)right ? left : right;
    return bits ^ (u64)larger * 3 ^ (u64)smaller * 5;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    u64 seed = 11, sum = 0, rotated = 0, scanned = 0, compared = 0;
    for (u32 i = 0; i < 200; i++) {
        u64 value = next_random(&seed) >> (i & 63);
        sum = sum * 3 + builtins(value);
        rotated = rotated * 3 + rotate(value, i);
        scanned = scanned * 3 + scan(value & ~0xffful);
        compared = compared * 3 + conditions((i64)value - (i64)i, (i64)next_random(&seed) >> (i & 31));
    }
    print_value("builtins", sum);
    print_value("rotates", rotated);
    print_value("scans", scanned);
    print_value("conditions", compared);
    for (u32 which = 0; which < COUNT(shifts); which++) {
        sum = 0;
        for (u32 i = 0; i < 70; i++) {
            u64 value = next_random(&seed);
            sum = sum * 5 + shifts[which](value, (u8)i, next_random(&seed));
        }
        print_value("shift", sum);
    }
    for (u32 which = 0; which < COUNT(operations); which++) {
        sum = 0;
        for (u32 i = 0; i < 40; i++) {
            u64 left = next_random(&seed) >> i;
            sum = sum * 5 + operations[which](left, next_random(&seed) >> (40 - i));
        }
        print_value("arithmetic", sum);
    }
    sum = 0;
    for (i64 offset = -1200; offset < 1200; offset += 37)
        sum = sum * 17 + bit_strings(offset);
    print_value("bit strings", sum ^ digest(words, sizeof words));
    print_value("xlat", table_lookup((const u8 *)"compare the same", 32));
    print_value("loops", loops(40));
    print_value("frames", stack_frames(0x123456789));
}
