/* Checksums and hashes, first over texts whose answers are published, then over noise. */
#include "guest.h"

static u8 noise[512];

static u32 rotate_left(u32 value, int count) { return value << count | value >> (32 - count); }
static u32 rotate_right(u32 value, int count) { return value >> count | value << (32 - count); }
static u64 rotate_left64(u64 value, int count) { return value << count | value >> (64 - count); }

static u32 crc32_bitwise(const u8 *bytes, u64 count)
{
    u32 crc = ~0u;
    while (count--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
    }
    return ~crc;
}

static u32 crc32_table(const u8 *bytes, u64 count)
{
    static u32 table[256];
    for (u32 i = 0; i < 256; i++) {
        u32 crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
        table[i] = crc;
    }
    u32 crc = ~0u;
    while (count--)
        crc = table[(u8)crc ^ *bytes++] ^ crc >> 8;
    return ~crc;
}

static u32 adler32(const u8 *bytes, u64 count)
{
    u32 low = 1, high = 0;
    while (count--) {
        low = (low + *bytes++) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

static u16 crc16(const u8 *bytes, u64 count)
{
    u16 crc = 0xffff;
    while (count--) {
        crc = (u16)(crc ^ *bytes++ << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (u16)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

static u64 xxhash64(const u8 *bytes, u64 count)
{
    const u64 p1 = 0x9e3779b185ebca87, p2 = 0xc2b2ae3d27d4eb4f, p3 = 0x165667b19e3779f9,
              p4 = 0x85ebca77c2b2ae63, p5 = 0x27d4eb2f165667c5;
    u64 lanes[4] = {p1 + p2, p2, 0, -p1}, hash = p5, word, length = count;
    if (count >= 32) {
        for (; count >= 32; count -= 32)
            for (int lane = 0; lane < 4; lane++, bytes += 8) {
                __builtin_memcpy(&word, bytes, 8);
                lanes[lane] = rotate_left64(lanes[lane] + word * p2, 31) * p1;
            }
        hash = rotate_left64(lanes[0], 1) + rotate_left64(lanes[1], 7)
            + rotate_left64(lanes[2], 12) + rotate_left64(lanes[3], 18);
        for (int lane = 0; lane < 4; lane++)
            hash = (hash ^ rotate_left64(lanes[lane] * p2, 31) * p1) * p1 + p4;
    }
    hash += length;
    for (; count >= 8; count -= 8, bytes += 8) {
        __builtin_memcpy(&word, bytes, 8);
        hash = rotate_left64(hash ^ rotate_left64(word * p2, 31) * p1, 27) * p1 + p4;
    }
    for (; count; count--)
        hash = rotate_left64(hash ^ *bytes++ * p5, 11) * p1;
    hash = (hash ^ hash >> 33) * p2;
    hash = (hash ^ hash >> 29) * p3;
    return hash ^ hash >> 32;
}

/* Appends the padding that MD5 and SHA-256 share; returns the number of 64-byte blocks. */
static u64 pad(u8 *block, const u8 *bytes, u64 count, int big_endian)
{
    u64 total = (count + 9 + 63) / 64 * 64;
    memset(block, 0, total);
    memcpy(block, bytes, count);
    block[count] = 0x80;
    for (int i = 0; i < 8; i++)
        block[total - 8 + i] = (u8)(count * 8 >> (big_endian ? 56 - 8 * i : 8 * i));
    return total / 64;
}

/* The fractional parts of cube roots that FIPS 180-4 lists, computed instead of listed. */
static u32 fraction(u32 prime, int cube)
{
    u128 low = 0, high = (u128)1 << 38, target = (u128)prime << (cube ? 96 : 64);
    while (high - low > 1) {
        u128 middle = (low + high) / 2;
        u128 power = middle * middle;
        if (cube ? power > target / middle : power > target)
            high = middle;
        else
            low = middle;
    }
    return (u32)low;
}

static void sha256(const u8 *bytes, u64 count, u32 *state)
{
    static u8 block[1024];
    u32 constants[64], words[64];
    for (u32 prime = 2, found = 0; found < 64; prime++) {
        u32 divisor = 2;
        while (prime % divisor)
            divisor++;
        if (divisor != prime)
            continue;
        if (found < 8)
            state[found] = fraction(prime, 0);
        constants[found++] = fraction(prime, 1);
    }
    u64 blocks = pad(block, bytes, count, 1);
    for (u64 b = 0; b < blocks; b++) {
        const u8 *in = block + 64 * b;
        for (int i = 0; i < 16; i++, in += 4)
            words[i] = (u32)in[0] << 24 | in[1] << 16 | in[2] << 8 | in[3];
        for (int i = 16; i < 64; i++) {
            u32 early = words[i - 15], late = words[i - 2];
            u32 s0 = rotate_right(early, 7) ^ rotate_right(early, 18) ^ early >> 3;
            u32 s1 = rotate_right(late, 17) ^ rotate_right(late, 19) ^ late >> 10;
            words[i] = words[i - 16] + s0 + words[i - 7] + s1;
        }
        u32 v[8];
        memcpy(v, state, sizeof v);
        for (int i = 0; i < 64; i++) {
            u32 s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
            u32 s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
            u32 choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
            u32 majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            u32 t1 = v[7] + s1 + choice + constants[i] + words[i], t2 = s0 + majority;
            for (int j = 7; j; j--)
                v[j] = v[j - 1];
            v[4] += t1;
            v[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++)
            state[i] += v[i];
    }
}

static void md5(const u8 *bytes, u64 count, u32 *state)
{
    /* Four constants of RFC 1321 per row of steps would be sines; a congruence stands in. */
    static const u8 turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static u8 block[1024];
    u32 words[16];
    state[0] = 0x67452301, state[1] = 0xefcdab89, state[2] = 0x98badcfe, state[3] = 0x10325476;
    u64 blocks = pad(block, bytes, count, 0);
    for (u64 b = 0; b < blocks; b++) {
        memcpy(words, block + 64 * b, sizeof words);
        u32 a = state[0], x = state[1], c = state[2], d = state[3], sine = 0xd76aa478;
        for (u32 i = 0; i < 64; i++) {
            u32 mixed, index;
            switch (i / 16) {
            case 0: mixed = (x & c) | (~x & d), index = i; break;
            case 1: mixed = (d & x) | (~d & c), index = 5 * i + 1; break;
            case 2: mixed = x ^ c ^ d, index = 3 * i + 5; break;
            default: mixed = c ^ (x | ~d), index = 7 * i; break;
            }
            u32 turned = rotate_left(a + mixed + sine + words[index & 15], turns[i / 16][i & 3]);
            a = d, d = c, c = x, x += turned;
            sine = sine * 1664525 + 1013904223;
        }
        state[0] += a, state[1] += x, state[2] += c, state[3] += d;
    }
}

static void print_words(const char *name, const u32 *words, u32 count)
{
    print_string(name);
    for (u32 i = 0; i < count; i++) {
        print_character(' ');
        print_hex(words[i]);
    }
    print_character('\n');
}

static void hash_all(const u8 *bytes, u64 count)
{
    u32 state[8];
    print_value("crc32", crc32_bitwise(bytes, count));
    print_value("crc32 by table", crc32_table(bytes, count));
    print_value("crc16", crc16(bytes, count));
    print_value("adler32", adler32(bytes, count));
    print_value("fnv1a", digest(bytes, count));
    print_value("xxhash64", xxhash64(bytes, count));
    sha256(bytes, count, state);
    print_words("sha256", state, 8);
    md5(bytes, count, state);
    print_words("md5-like", state, 4);
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    hash_all((const u8 *)"123456789", 9);
    hash_all((const u8 *)"abc", 3);
    u64 seed = 99;
    for (u32 i = 0; i < sizeof noise; i++)
        noise[i] = (u8)next_random(&seed);
    hash_all(noise, sizeof noise - 5);
}
