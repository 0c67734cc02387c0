/* Parsers: base64, UTF-8, numbers, and an expression by recursive descent. */
#include "guest.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static u32 base64_encode(const u8 *in, u32 count, char *out)
{
    u32 length = 0;
    for (u32 i = 0; i < count; i += 3) {
        u32 left = count - i, group = (u32)in[i] << 16;
        if (left > 1)
            group |= (u32)in[i + 1] << 8;
        if (left > 2)
            group |= in[i + 2];
        for (u32 j = 0; j < 4; j++)
            out[length++] = j > left ? '=' : alphabet[group >> (18 - 6 * j) & 63];
    }
    out[length] = 0;
    return length;
}

static int base64_value(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

static u32 base64_decode(const char *in, u8 *out)
{
    u32 held = 0, bits = 0, count = 0;
    for (int value; (value = base64_value(*in)) >= 0; in++) {
        held = held << 6 | (u32)value;
        bits += 6;
        if (bits >= 8)
            out[count++] = (u8)(held >> (bits -= 8));
    }
    return count;
}

/* The code point at *text, which moves on; 0xfffd for what is not UTF-8. */
static u32 utf8_next(const u8 **text)
{
    u8 lead = *(*text)++;
    if (lead < 0x80)
        return lead;
    u32 more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
    if (!more || lead > 0xf4)
        return 0xfffd;
    u32 point = lead & (0x3fu >> more), least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
    for (; more; more--) {
        if ((**text & 0xc0) != 0x80)
            return 0xfffd;
        point = point << 6 | (*(*text)++ & 0x3f);
    }
    return point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000) ? 0xfffd : point;
}

struct parser {
    const char *at;
    int failed;
};

static i64 parse_sum(struct parser *p);

static void skip_blanks(struct parser *p)
{
    while (*p->at == ' ')
        p->at++;
}

static i64 parse_number(struct parser *p)
{
    u32 base = 10;
    i64 value = 0;
    const char *start = p->at;
    if (p->at[0] == '0' && p->at[1] == 'x')
        base = 16, p->at += 2;
    for (;; p->at++) {
        char lower = (char)(*p->at | 0x20);
        u32 digit = *p->at >= '0' && *p->at <= '9' ? (u32)(*p->at - '0')
            : lower >= 'a' && lower <= 'f'         ? (u32)(lower - 'a' + 10)
                                                   : 99;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    p->failed |= p->at == start;
    return value;
}

static i64 parse_factor(struct parser *p)
{
    skip_blanks(p);
    if (*p->at == '-') {
        p->at++;
        return -parse_factor(p);
    }
    if (*p->at != '(')
        return parse_number(p);
    p->at++;
    i64 value = parse_sum(p);
    skip_blanks(p);
    if (*p->at == ')')
        p->at++;
    else
        p->failed = 1;
    return value;
}

static i64 parse_product(struct parser *p)
{
    i64 value = parse_factor(p);
    for (;;) {
        skip_blanks(p);
        char sign = *p->at;
        if (sign != '*' && sign != '/' && sign != '%')
            return value;
        p->at++;
        i64 other = parse_factor(p);
        if (sign == '*')
            value *= other;
        else if (!other)
            p->failed = 1;
        else
            value = sign == '/' ? value / other : value % other;
    }
}

static i64 parse_sum(struct parser *p)
{
    i64 value = parse_product(p);
    for (;;) {
        skip_blanks(p);
        char sign = *p->at;
        if (sign != '+' && sign != '-')
            return value;
        p->at++;
        value = sign == '+' ? value + parse_product(p) : value - parse_product(p);
    }
}

static void evaluate(const char *text)
{
    struct parser parser = {text, 0};
    i64 value = parse_sum(&parser);
    print_string(text);
    if (parser.failed || *parser.at)
        print_string(" = ?");
    else
        print_string(" = "), print_decimal(value);
    print_character('\n');
}

static u32 count_words(const char *text)
{
    u32 words = 0;
    for (int inside = 0; *text; text++) {
        int letter = (*text | 0x20) >= 'a' && (*text | 0x20) <= 'z';
        words += letter && !inside;
        inside = letter;
    }
    return words;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    char coded[80];
    u8 back[60];
    static const char text[] = "any carnal pleasure: five tests of sixteen";
    for (u32 count = 0; count < sizeof text; count += 5) {
        u32 length = base64_encode((const u8 *)text, count, coded);
        u32 decoded = base64_decode(coded, back);
        print_string(coded);
        print_value("", (u64)length << 8 | (decoded == count && !memcmp(back, text, count)));
    }
    const u8 *utf8 = (const u8 *)"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9b\xc0\x80\xed\xa0\x80\xf5z\xe2\x82";
    while (*utf8) {
        print_hex(utf8_next(&utf8));
        print_character(' ');
    }
    print_character('\n');
    evaluate("1 + 2 * 3 - 4");
    evaluate("(1 + 2) * -(3 - 0x10) % 7");
    evaluate("0xffffffff * 0xffffffff / 3");
    evaluate("((((7))) - 8) / 0");
    evaluate("2 * (3 + ");
    print_value("words", count_words("What the guest wrote, the host reads: 3 words or ten?"));
}
