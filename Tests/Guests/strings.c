/* The string instructions as they are: each width, both directions, odd counts, overlap. */
#include "guest.h"

/* One array, so that cursors print the same whatever the compiler places where. */
static u8 both[256];
static u8 *const from = both, *const to = both + 128;

static void reset(void)
{
    for (u32 i = 0; i < 128; i++) {
        from[i] = (u8)(i * 7 + 3);
        to[i] = (u8)(200 - i);
    }
}

struct cursors {
    u8 *to;
    const u8 *from;
    u64 count;
};

/* One function per instruction and direction; the cursors come back as the CPU leaves them. */
#define COPY(name, before, instruction)                                                      \
    static NOINLINE struct cursors name(u8 *into, const u8 *out_of, u64 count)               \
    {                                                                                        \
        __asm__ volatile(before "\n\t" instruction "\n\tcld"                                 \
                         : "+D"(into), "+S"(out_of), "+c"(count)                             \
                         :                                                                   \
                         : "memory", "cc");                                                  \
        return (struct cursors){into, out_of, count};                                        \
    }
COPY(copy_bytes, "cld", "rep movsb")
COPY(copy_words, "cld", "rep movsw")
COPY(copy_longs, "cld", "rep movsl")
COPY(copy_quads, "cld", "rep movsq")
COPY(copy_bytes_down, "std", "rep movsb")
COPY(copy_words_down, "std", "rep movsw")
COPY(copy_longs_down, "std", "rep movsl")
COPY(copy_quads_down, "std", "rep movsq")
COPY(copy_one, "cld", "movsl")
COPY(copy_one_down, "std", "movsb")

#define FILL(name, before, instruction)                                                      \
    static NOINLINE struct cursors name(u8 *into, u64 value, u64 count)                      \
    {                                                                                        \
        __asm__ volatile(before "\n\t" instruction "\n\tcld"                                 \
                         : "+D"(into), "+c"(count)                                           \
                         : "a"(value)                                                        \
                         : "memory", "cc");                                                  \
        return (struct cursors){into, from, count};                                          \
    }
FILL(fill_bytes, "cld", "rep stosb")
FILL(fill_words_down, "std", "rep stosw")
FILL(fill_longs, "cld", "rep stosl")
FILL(fill_quads_down, "std", "rep stosq")
FILL(scan_for_byte, "cld", "repne scasb")
FILL(scan_for_byte_down, "std", "repne scasb")
FILL(scan_while_word, "cld", "repe scasw")
FILL(scan_for_long, "cld", "repne scasl")
FILL(scan_for_quad, "cld", "repne scasq")

COPY(compare_bytes, "cld", "repe cmpsb")
COPY(compare_words_down, "std", "repe cmpsw")
COPY(compare_longs, "cld", "repe cmpsl")
COPY(compare_until_same, "cld", "repne cmpsb")
COPY(compare_quads, "cld", "repe cmpsq")

static void report(const char *name, struct cursors end)
{
    print_string(name);
    print_character(' ');
    print_decimal(end.to - to);
    print_character(' ');
    print_decimal(end.from - from);
    print_character(' ');
    print_hex(end.count);
    print_character(' ');
    print_hex(digest(to, 128));
    print_character('\n');
}

static u64 sum_by_lods(const u8 *bytes, u64 count)
{
    u64 sum = 0, byte = 0;
    for (; count; count--) {
        __asm__ volatile("lodsb" : "+S"(bytes), "+a"(byte));
        sum = sum * 3 + (u8)byte;
    }
    u64 quad;
    __asm__ volatile("std\n\tlodsq\n\tcld" : "+S"(bytes), "=a"(quad) : : "cc");
    return sum ^ quad;
}

/* CMPS sets the flags of the last comparison; with a count of zero it leaves them. */
static u64 compare_flags(const u8 *left, const u8 *right, u64 count)
{
    u64 flags;
    __asm__ volatile("xor %%eax, %%eax\n\trepe cmpsb\n\t"
                     "lea -128(%%rsp), %%rsp\n\tpushfq\n\tpop %0\n\tlea 128(%%rsp), %%rsp"
                     : "=r"(flags), "+S"(left), "+D"(right), "+c"(count)
                     :
                     : "rax", "cc", "memory");
    return flags & 0x8d5;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    reset();
    report("movsb", copy_bytes(to + 3, from + 1, 37));
    report("movsw", copy_words(to + 1, from + 5, 13));
    report("movsl", copy_longs(to + 2, from + 7, 9));
    report("movsq", copy_quads(to + 5, from, 11));
    report("nothing", copy_quads(to, from, 0));
    report("movsb down", copy_bytes_down(to + 60, from + 50, 21));
    report("movsw down", copy_words_down(to + 61, from + 50, 17));
    report("movsl down", copy_longs_down(to + 90, from + 77, 7));
    report("movsq down", copy_quads_down(to + 100, from + 99, 6));
    report("one", copy_one(to + 9, from + 90, 5));
    report("one down", copy_one_down(to + 9, from + 91, 5));
    report("overlap", copy_bytes(to + 1, to, 100));
    reset();
    report("overlap by three", copy_quads(to + 3, to, 12));
    report("overlap down", copy_bytes_down(to + 99, to + 100, 90));
    report("stosb", fill_bytes(to + 1, 0xab, 9));
    report("stosw down", fill_words_down(to + 41, 0x1234, 11));
    report("stosl", fill_longs(to + 50, 0x89abcdef, 3));
    report("stosq down", fill_quads_down(to + 119, 0x0123456789abcdef, 5));
    reset();
    report("scasb", scan_for_byte(to, 150, 128));
    report("scasb none", scan_for_byte(to, 5, 30));
    report("scasb down", scan_for_byte_down(to + 127, 199, 128));
    report("scasw", scan_while_word(to, 200 | 199 << 8, 9));
    report("scasl", scan_for_long(to, 0x8d8e8f90 - 0x01010101, 25));
    report("scasq", scan_for_quad(to, 0, 12));
    copy_bytes(to, from, 100);
    report("cmpsb", compare_bytes(to, from, 128));
    report("cmpsw down", compare_words_down(to + 98, from + 98, 80));
    report("cmpsl", compare_longs(to, from, 32));
    report("cmpsb until", compare_until_same(to + 1, from + 120, 90));
    report("cmpsq", compare_quads(to, from, 16));
    print_value("lods", sum_by_lods(from + 3, 55));
    print_value("flags same", compare_flags(from, to, 50));
    print_value("flags less", compare_flags(from + 3, to + 4, 50));
    print_value("flags zero", compare_flags(from, to, 0));
}
