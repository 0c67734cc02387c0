/* What the guests of this folder share: types, console output, a generator of numbers.
 *
 * A guest starts at guest_code, prints through port 0x3f8 and ends by returning. Compiled with
 * -DNATIVE the same source is a Linux program that prints the same text with write(2), so what a
 * real CPU makes of it is the expected answer. No libc either way. */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long i64;
typedef unsigned __int128 u128;
typedef __int128 i128;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOINLINE __attribute__((noinline))

/* The entry; the arguments are those of `--args`. */
void guest_code(u64 first, u64 second);

void print_character(char character);
void print_string(const char *text);
/* Hexadecimal without prefix or leading zeros. */
void print_hex(u64 value);
void print_decimal(i64 value);
/* "name value" in hexadecimal, and a newline. */
void print_value(const char *name, u64 value);

void *memcpy(void *to, const void *from, u64 count);
void *memmove(void *to, const void *from, u64 count);
void *memset(void *to, int byte, u64 count);
int memcmp(const void *left, const void *right, u64 count);
u64 strlen(const char *text);

/* FNV-1a over bytes: how a guest prints a buffer in one number. */
u64 digest(const void *bytes, u64 count);

/* The next number of a splitmix64 sequence. */
static inline u64 next_random(u64 *state)
{
    u64 z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

#endif
