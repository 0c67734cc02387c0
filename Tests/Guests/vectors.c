/* Loops that compilers turn into SSE2 code at -O2 and -O3, and are plain at -O0. */
#include "guest.h"

enum { LENGTH = 203, SIDE = 12 };

static u8 bytes[LENGTH + 5], other_bytes[LENGTH + 5];
static u16 words[LENGTH], other_words[LENGTH];
static i16 signed_words[LENGTH], other_signed[LENGTH];
static u32 numbers[LENGTH], other_numbers[LENGTH];
static i32 integers[LENGTH];
static u64 longs[LENGTH];
static u32 left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

static void fill(void)
{
    u64 seed = 31;
    for (u32 i = 0; i < LENGTH; i++) {
        u64 random = next_random(&seed);
        bytes[i] = (u8)random;
        other_bytes[i] = (u8)(random >> 8);
        words[i] = (u16)(random >> 16);
        other_words[i] = (u16)(random >> 24);
        signed_words[i] = (i16)(random >> 32);
        other_signed[i] = (i16)(random >> 40);
        numbers[i] = (u32)random;
        other_numbers[i] = (u32)(random >> 32);
        integers[i] = (i32)(random >> 20);
        longs[i] = random;
    }
}

static NOINLINE u64 sums(void)
{
    u64 total = 0, wide = 0;
    u32 narrow = 0;
    i64 spread = 0;
    for (u32 i = 0; i < LENGTH; i++)
        total += bytes[i];
    for (u32 i = 0; i < LENGTH; i++)
        narrow += words[i];
    for (u32 i = 0; i < LENGTH; i++)
        wide += numbers[i];
    for (u32 i = 0; i < LENGTH; i++)
        spread += signed_words[i];
    return total ^ (u64)narrow << 20 ^ wide << 8 ^ (u64)spread;
}

static NOINLINE u64 products(void)
{
    i32 dot = 0;
    u32 low = 0;
    u64 wide = 0, full = 0;
    for (u32 i = 0; i < LENGTH; i++)
        dot += signed_words[i] * other_signed[i];
    for (u32 i = 0; i < LENGTH; i++)
        low += numbers[i] * other_numbers[i];
    for (u32 i = 0; i < LENGTH; i++)
        wide += (u64)numbers[i] * other_numbers[i];
    for (u32 i = 0; i < LENGTH; i++)
        full += longs[i] * (longs[i] >> 3);
    for (u32 i = 0; i < LENGTH; i++)
        other_words[i] = (u16)((u32)words[i] * other_words[i] >> 16);
    for (u32 i = 0; i < LENGTH; i++)
        other_signed[i] = (i16)(signed_words[i] * other_signed[i] >> 16);
    return (u32)dot ^ (u64)low << 32 ^ wide ^ full ^ digest(other_words, sizeof other_words)
        ^ digest(other_signed, sizeof other_signed);
}

static NOINLINE u64 extremes(void)
{
    u8 most = 0, least = 255;
    i16 highest = -32768, lowest = 32767;
    i32 top = integers[0], bottom = integers[0];
    u32 peak = 0;
    for (u32 i = 0; i < LENGTH; i++) {
        most = bytes[i] > most ? bytes[i] : most;
        least = bytes[i] < least ? bytes[i] : least;
    }
    for (u32 i = 0; i < LENGTH; i++) {
        highest = signed_words[i] > highest ? signed_words[i] : highest;
        lowest = signed_words[i] < lowest ? signed_words[i] : lowest;
    }
    for (u32 i = 0; i < LENGTH; i++) {
        top = integers[i] > top ? integers[i] : top;
        bottom = integers[i] < bottom ? integers[i] : bottom;
        peak = numbers[i] > peak ? numbers[i] : peak;
    }
    return (most | (u64)least << 8 | (u64)(u16)highest << 16 | (u64)(u16)lowest << 32)
        ^ (u64)(u32)top * 3 ^ (u64)(u32)bottom << 7 ^ (u64)peak << 11;
}

static NOINLINE u64 elementwise(void)
{
    u64 differences = 0;
    for (u32 i = 0; i < LENGTH; i++)
        differences += (u64)__builtin_abs(bytes[i] - other_bytes[i]);
    for (u32 i = 0; i < LENGTH; i++)
        other_bytes[i] = (u8)((bytes[i] + other_bytes[i] + 1) >> 1);
    for (u32 i = 0; i < LENGTH; i++) {
        int sum = bytes[i] + other_bytes[i];
        bytes[i] = (u8)(sum > 255 ? 255 : sum);
    }
    for (u32 i = 0; i < LENGTH; i++)
        other_numbers[i] = (numbers[i] << 7 | numbers[i] >> 25) ^ (numbers[i] & ~other_numbers[i]);
    for (u32 i = 0; i < LENGTH; i++)
        integers[i] = integers[i] < 0 ? -integers[i] >> 3 : integers[i] << (i & 3);
    for (u32 i = 0; i < LENGTH; i++)
        longs[i] = (longs[i] >> 11) + (longs[i] << 5);
    for (u32 i = 0; i < LENGTH; i++)
        words[i] = bytes[i] > 100 ? (u16)(words[i] >> 2) : (u16)~words[i];
    return differences ^ digest(bytes, LENGTH) ^ digest(other_bytes, LENGTH)
        ^ digest(other_numbers, sizeof other_numbers) ^ digest(integers, sizeof integers)
        ^ digest(longs, sizeof longs) ^ digest(words, sizeof words);
}

static NOINLINE u64 conversions(void)
{
    for (u32 i = 0; i < LENGTH; i++)
        numbers[i] = (u32)longs[i] ^ bytes[i];
    for (u32 i = 0; i < LENGTH; i++)
        words[i] = (u16)numbers[i];
    for (u32 i = 0; i < LENGTH; i++)
        bytes[i] = (u8)(words[i] >> 3);
    for (u32 i = 0; i < LENGTH; i++)
        longs[i] = (u64)(i64)integers[i] + (u64)signed_words[i];
    for (u32 i = 0; i < LENGTH / 2; i++) {
        u32 held = numbers[i];
        numbers[i] = numbers[LENGTH - 1 - i];
        numbers[LENGTH - 1 - i] = held;
    }
    for (u32 i = 0; i + 3 < LENGTH; i += 4) {
        words[i] = other_words[i + 3];
        words[i + 1] = other_words[i + 2];
        words[i + 2] = other_words[i];
        words[i + 3] = other_words[i + 1];
    }
    return digest(numbers, sizeof numbers) ^ digest(words, sizeof words)
        ^ digest(bytes, LENGTH) ^ digest(longs, sizeof longs);
}

static NOINLINE u64 matrices(void)
{
    for (u32 i = 0; i < SIDE; i++)
        for (u32 j = 0; j < SIDE; j++) {
            left[i][j] = i * 5 + j * j;
            right[j][i] = i * i + 7 * j;
        }
    for (u32 turn = 0; turn < 3; turn++) {
        for (u32 i = 0; i < SIDE; i++)
            for (u32 j = 0; j < SIDE; j++) {
                u32 sum = 0;
                for (u32 k = 0; k < SIDE; k++)
                    sum += left[i][k] * right[k][j];
                product[i][j] = sum;
            }
        for (u32 i = 0; i < SIDE; i++)
            for (u32 j = 0; j < SIDE; j++)
                left[j][i] = product[i][j];
    }
    return digest(product, sizeof product);
}

typedef u32 quad __attribute__((vector_size(16)));
typedef u8 sixteen __attribute__((vector_size(16)));

static NOINLINE u64 generic_vectors(u64 seed)
{
    quad a = {(u32)seed, 2, 3, 4}, b = {5, (u32)(seed >> 7), 7, 8};
    sixteen c = (sixteen)(a ^ b);
    for (u32 i = 0; i < 20; i++) {
        quad larger = (quad)(a > b);
        quad shuffled = __builtin_shufflevector(a, b, 7, 0, 5, 2);
        a = a * b + (shuffled ^ larger) - (b >> 3);
        b = (b << (quad){1, 2, 3, 4}) + __builtin_shufflevector(b, b, 3, 2, 1, 0);
        c = c * 3 + __builtin_shufflevector(c, (sixteen)a, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                            21, 6, 22, 7, 23);
    }
    return digest(&a, sizeof a) ^ digest(&b, sizeof b) ^ digest(&c, sizeof c);
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    fill();
    print_value("sums", sums());
    print_value("products", products());
    print_value("extremes", extremes());
    print_value("elementwise", elementwise());
    print_value("conversions", conversions());
    print_value("matrices", matrices());
    print_value("vectors", generic_vectors(77));
}
