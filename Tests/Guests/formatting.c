/* printf in small: variable arguments, widths, signs, a list passed on to another function. */
#include "guest.h"
#include <stdarg.h>

struct sink {
    char *at, *end;
    u64 wanted;
};

static void put(struct sink *sink, char character)
{
    sink->wanted++;
    if (sink->at + 1 < sink->end)
        *sink->at++ = character;
}

static void put_number(struct sink *sink, u64 value, u32 base, int width, char fill, int negative)
{
    char digits[64];
    int count = 0;
    do
        digits[count++] = "0123456789abcdef"[value % base];
    while (value /= base);
    if (negative)
        width--;
    if (negative && fill == '0')
        put(sink, '-');
    for (int i = count; i < width; i++)
        put(sink, fill);
    if (negative && fill != '0')
        put(sink, '-');
    while (count)
        put(sink, digits[--count]);
}

static void put_text(struct sink *sink, const char *text, int width)
{
    int length = (int)strlen(text);
    for (int i = length; i < width; i++)
        put(sink, ' ');
    while (*text)
        put(sink, *text++);
}

static u64 format_list(char *out, u64 size, const char *format, va_list list)
{
    struct sink sink = {out, out + size, 0};
    for (; *format; format++) {
        if (*format != '%') {
            put(&sink, *format);
            continue;
        }
        int width = 0, is_long = 0;
        char fill = *++format == '0' ? '0' : ' ';
        for (; *format >= '0' && *format <= '9'; format++)
            width = width * 10 + *format - '0';
        if (*format == '*')
            width = va_arg(list, int), format++;
        for (; *format == 'l'; format++)
            is_long = 1;
        switch (*format) {
        case 'd': {
            i64 value = is_long ? va_arg(list, i64) : va_arg(list, int);
            put_number(&sink, value < 0 ? -(u64)value : (u64)value, 10, width, fill, value < 0);
            break;
        }
        case 'u':
            put_number(&sink, is_long ? va_arg(list, u64) : va_arg(list, u32), 10, width, fill, 0);
            break;
        case 'x':
            put_number(&sink, is_long ? va_arg(list, u64) : va_arg(list, u32), 16, width, fill, 0);
            break;
        case 'b': put_number(&sink, va_arg(list, u32), 2, width, fill, 0); break;
        case 's': put_text(&sink, va_arg(list, const char *), width); break;
        case 'c': put(&sink, (char)va_arg(list, int)); break;
        default: put(&sink, *format); break;
        }
    }
    *sink.at = 0;
    return sink.wanted;
}

static NOINLINE u64 format(char *out, u64 size, const char *text, ...)
{
    va_list list;
    va_start(list, text);
    u64 wanted = format_list(out, size, text, list);
    va_end(list);
    return wanted;
}

static NOINLINE void say(const char *text, ...)
{
    char line[160], again[160];
    va_list list, copy;
    va_start(list, text);
    va_copy(copy, list);
    format_list(line, sizeof line, text, list);
    format_list(again, sizeof again, text, copy);
    va_end(copy);
    va_end(list);
    print_string(memcmp(line, again, strlen(line)) ? "differs\n" : line);
}

static NOINLINE i64 sum_of(int count, ...)
{
    va_list list;
    i64 sum = 0;
    va_start(list, count);
    while (count--)
        sum = sum * 3 + va_arg(list, i64);
    va_end(list);
    return sum;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    char small[12];
    say("%d %5d|%05d|%-d %u\n", 42, -42, -42, 7, 4294967295u);
    say("%lx %016lx %x\n", 0xfeedfacecafebeeful, 0x1234ul, 0xbeefu);
    say("[%8s] [%s] [%*s] %c%c\n", "right", "as is", 10, "by star", 'o', 'k');
    say("%ld %ld %lu\n", -9223372036854775807l - 1, 9223372036854775807l, ~0ul);
    say("%b %020b %%\n", 10u, 0xff0u);
    say("%d %d %d %d %d %d %d %d %d %d\n", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    print_value("wanted", format(small, sizeof small, "%s and %d more", "something", 12345));
    say("[%s]\n", small);
    print_value("sum", (u64)sum_of(9, 1l, -2l, 3l, -4l, 5l, -6l, 7l, -8l, 9l));
}
