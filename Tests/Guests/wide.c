/* 128-bit arithmetic and overflow: products, quotients and remainders beyond one register. */
#include "guest.h"

static void print_wide(const char *name, u128 value)
{
    char digits[40];
    u32 count = 0;
    do
        digits[count++] = (char)('0' + (u32)(value % 10));
    while (value /= 10);
    print_string(name);
    print_character(' ');
    while (count)
        print_character(digits[--count]);
    print_character('\n');
}

static NOINLINE u64 power_modulo(u64 base, u64 exponent, u64 modulus)
{
    u64 result = 1;
    for (base %= modulus; exponent; exponent >>= 1) {
        if (exponent & 1)
            result = (u64)((u128)result * base % modulus);
        base = (u64)((u128)base * base % modulus);
    }
    return result;
}

/* Miller-Rabin with the bases that decide every 64-bit number. */
static int is_prime(u64 number)
{
    static const u64 bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    if (number < 2)
        return 0;
    for (u32 i = 0; i < COUNT(bases); i++)
        if (number % bases[i] == 0)
            return number == bases[i];
    int zeros = __builtin_ctzl(number - 1);
    for (u32 i = 0; i < COUNT(bases); i++) {
        u64 power = power_modulo(bases[i], (number - 1) >> zeros, number);
        if (power == 1 || power == number - 1)
            continue;
        int turn = 1;
        for (; turn < zeros && power != number - 1; turn++)
            power = (u64)((u128)power * power % number);
        if (power != number - 1)
            return 0;
    }
    return 1;
}

static u64 square_root(u128 value)
{
    u64 root = 0;
    for (u64 bit = 1ul << 63; bit; bit >>= 1)
        if ((u128)(root | bit) * (root | bit) <= value)
            root |= bit;
    return root;
}

static NOINLINE i128 divide_signed(i128 left, i128 right) { return left / right; }
static NOINLINE i128 remainder_signed(i128 left, i128 right) { return left % right; }
static NOINLINE u128 shift_left(u128 value, int count) { return value << count; }
static NOINLINE i128 shift_right(i128 value, int count) { return value >> count; }

static u64 mix_divisions(u64 seed)
{
    u64 sum = 0;
    for (u32 i = 0; i < 60; i++) {
        i128 left = (i128)((u128)next_random(&seed) << 64 | next_random(&seed));
        i128 right = (i128)((u128)next_random(&seed) << 64 | next_random(&seed));
        right = shift_right(right, (int)(next_random(&seed) % 127)) | 1;
        i128 quotient = divide_signed(left, right), rest = remainder_signed(left, right);
        u128 whole = (u128)left / (u128)right, modulus = (u128)left % (u128)right;
        sum = sum * 3 + (u64)(quotient ^ rest) + (u64)((quotient >> 64) ^ (rest >> 64));
        sum += (u64)whole ^ (u64)(modulus >> 64);
        sum += quotient * right + rest == left;
        sum += (u64)(shift_left((u128)left, (int)(i * 2)) >> 64);
    }
    return sum;
}

static u64 overflows(u64 seed)
{
    u64 flags = 0;
    for (u32 i = 0; i < 60; i++) {
        i64 a = (i64)next_random(&seed), b = (i64)next_random(&seed) >> (i & 63), product;
        i32 small, x = (i32)a, y = (i32)b;
        u64 carry;
        flags = flags << 1 ^ flags >> 61;
        flags ^= __builtin_mul_overflow(a >> (i & 31), b, &product);
        flags ^= (u64)__builtin_add_overflow(x, y, &small) << 1;
        flags ^= (u64)__builtin_sub_overflow(x, y, &small) << 2;
        flags ^= (u64)__builtin_add_overflow((u64)a, (u64)b, &carry) << 3;
        flags ^= (u64)__builtin_sub_overflow((u64)a, (u64)b, &carry) << 4;
        flags ^= (u64)product + (u64)small + carry;
    }
    return flags;
}

/* 60! in limbs of 32 bits, then its digits by repeated division. */
static void print_factorial(void)
{
    u32 limbs[10] = {1};
    for (u32 factor = 2; factor <= 60; factor++) {
        u64 carry = 0;
        for (u32 i = 0; i < COUNT(limbs); i++) {
            carry += (u64)limbs[i] * factor;
            limbs[i] = (u32)carry;
            carry >>= 32;
        }
    }
    char digits[97];
    u32 count = 0;
    for (u32 any = 1; any;) {
        u64 rest = 0;
        any = 0;
        for (u32 i = COUNT(limbs); i-- > 0;) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (u32)(rest / 10);
            rest %= 10;
            any |= limbs[i];
        }
        digits[count++] = (char)('0' + rest);
    }
    print_string("60! ");
    while (count)
        print_character(digits[--count]);
    print_character('\n');
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    u128 fibonacci = 0, next = 1;
    for (u32 i = 0; i < 186; i++) {
        u128 sum = fibonacci + next;
        fibonacci = next;
        next = sum;
    }
    print_wide("fibonacci 186", fibonacci);
    print_value("power", power_modulo(0x123456789abcdef, 0xfedcba987654321, 0xffffffffffffffc5));
    static const u64 numbers[] = {2, 561, 65537, 0xffffffffffffffc5, 0xffffffffffffffff,
                                  3215031751};
    for (u32 i = 0; i < COUNT(numbers); i++)
        print_value(is_prime(numbers[i]) ? "prime" : "composite", numbers[i]);
    print_value("square root", square_root(((u128)0x0123456789abcdef << 64) + 12345));
    print_value("divisions", mix_divisions(5));
    print_value("overflows", overflows(6));
    print_factorial();
}
