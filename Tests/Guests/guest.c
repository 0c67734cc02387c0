/* Console output and the four memory functions that compilers call by themselves. */
#include "guest.h"

#ifdef NATIVE
void print_character(char character)
{
    long result = 1; /* SYS_write */
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(1), "S"(&character), "d"(1)
                     : "rcx", "r11", "memory");
}

__attribute__((used)) static void native_start(void)
{
    guest_code(0, 0);
    __asm__ volatile("syscall" : : "a"(231 /* SYS_exit_group */), "D"(0) : "rcx", "r11");
    __builtin_unreachable();
}

__asm__(".globl _start\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call native_start\n"
        "    hlt\n");
#else
void print_character(char character)
{
    __asm__ volatile("outb %0, %1" : : "a"(character), "Nd"((u16)0x3f8));
}
#endif

void print_string(const char *text)
{
    for (; *text; text++)
        print_character(*text);
}

void print_hex(u64 value)
{
    if (value >= 16)
        print_hex(value >> 4);
    print_character("0123456789abcdef"[value & 15]);
}

static void print_unsigned(u64 value)
{
    if (value >= 10)
        print_unsigned(value / 10);
    print_character((char)('0' + value % 10));
}

void print_decimal(i64 value)
{
    if (value < 0)
        print_character('-');
    print_unsigned(value < 0 ? -(u64)value : (u64)value);
}

void print_value(const char *name, u64 value)
{
    print_string(name);
    print_character(' ');
    print_hex(value);
    print_character('\n');
}

void *memcpy(void *to, const void *from, u64 count)
{
    void *cursor = to;
    __asm__ volatile("rep movsb" : "+D"(cursor), "+S"(from), "+c"(count) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, u64 count)
{
    if ((u64)to - (u64)from >= count)
        return memcpy(to, from, count);
    u8 *last = (u8 *)to + count - 1;
    const u8 *source = (const u8 *)from + count - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+D"(last), "+S"(source), "+c"(count)
                     :
                     : "memory", "cc");
    return to;
}

void *memset(void *to, int byte, u64 count)
{
    void *cursor = to;
    __asm__ volatile("rep stosb" : "+D"(cursor), "+c"(count) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *left, const void *right, u64 count)
{
    const u8 *l = left, *r = right;
    for (u64 i = 0; i < count; i++)
        if (l[i] != r[i])
            return l[i] - r[i];
    return 0;
}

u64 strlen(const char *text)
{
    u64 length = 0;
    while (text[length]) {
        length++;
        __asm__ volatile("" : : : "memory"); /* keeps the compiler from calling strlen here */
    }
    return length;
}

u64 digest(const void *bytes, u64 count)
{
    const u8 *cursor = bytes;
    u64 hash = 0xcbf29ce484222325;
    for (u64 i = 0; i < count; i++)
        hash = (hash ^ cursor[i]) * 0x100000001b3;
    return hash;
}
