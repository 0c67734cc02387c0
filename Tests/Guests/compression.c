/* An LZ77 coder with the token format of LZ4, and a Huffman coder: pack, unpack, compare. */
#include "guest.h"

enum { TEXT = 3000, HASH_BITS = 9, MIN_MATCH = 4 };

static u8 text[TEXT], packed[2 * TEXT], unpacked[TEXT];

static u32 make_text(void)
{
    static const char *const words[] = {
        "the ", "hypervisor ", "reads ", "what ", "guest ", "wrote, ", "and ", "nothing ",
        "else. ", "page ", "shared ", "private ", "exit ", "a ", "of ", "register\n",
    };
    u64 state = 7;
    u32 length = 0;
    for (;;) {
        const char *word = words[next_random(&state) & next_random(&state) & 15];
        u32 count = (u32)strlen(word);
        if (length + count > TEXT)
            return length;
        memcpy(text + length, word, count);
        length += count;
    }
}

static u32 load32(const u8 *at)
{
    u32 value;
    __builtin_memcpy(&value, at, 4);
    return value;
}

static u8 *put_length(u8 *out, u32 extra)
{
    for (; extra >= 255; extra -= 255)
        *out++ = 255;
    *out++ = (u8)extra;
    return out;
}

static u8 *put_sequence(u8 *out, const u8 *literals, u32 count, u32 offset, u32 match)
{
    u8 *token = out++;
    *token = (u8)((count < 15 ? count : 15) << 4);
    if (count >= 15)
        out = put_length(out, count - 15);
    memcpy(out, literals, count);
    out += count;
    if (!match)
        return out;
    *out++ = (u8)offset;
    *out++ = (u8)(offset >> 8);
    match -= MIN_MATCH;
    *token |= (u8)(match < 15 ? match : 15);
    return match >= 15 ? put_length(out, match - 15) : out;
}

static u32 lz_pack(const u8 *source, u32 length, u8 *out)
{
    static u16 table[1 << HASH_BITS];
    u8 *start = out;
    u32 anchor = 0, at = 0;
    while (at + MIN_MATCH + 8 < length) {
        u32 slot = load32(source + at) * 2654435761u >> (32 - HASH_BITS);
        u32 candidate = table[slot];
        table[slot] = (u16)at;
        if (candidate >= at || load32(source + candidate) != load32(source + at)) {
            at++;
            continue;
        }
        u32 match = MIN_MATCH;
        while (at + match < length && source[candidate + match] == source[at + match])
            match++;
        out = put_sequence(out, source + anchor, at - anchor, at - candidate, match);
        anchor = at += match;
    }
    out = put_sequence(out, source + anchor, length - anchor, 0, 0);
    return (u32)(out - start);
}

static u32 get_length(const u8 **in, u32 nibble)
{
    u32 length = nibble, byte;
    if (nibble == 15)
        do
            length += byte = *(*in)++;
        while (byte == 255);
    return length;
}

static u32 lz_unpack(const u8 *in, u32 count, u8 *out)
{
    const u8 *end = in + count;
    u8 *start = out;
    while (in < end) {
        u8 token = *in++;
        for (u32 literals = get_length(&in, token >> 4); literals; literals--)
            *out++ = *in++;
        if (in >= end)
            break;
        u32 offset = in[0] | in[1] << 8;
        in += 2;
        for (u32 match = get_length(&in, token & 15) + MIN_MATCH; match; match--, out++)
            *out = out[-(i64)offset];
    }
    return (u32)(out - start);
}

struct node {
    u32 weight;
    i16 child[2];
};

static struct node nodes[512];
static u32 codes[256];
static u8 lengths[256];

static int lightest(int count)
{
    int best = -1;
    for (int i = 0; i < count; i++)
        if (nodes[i].weight && (best < 0 || nodes[i].weight < nodes[best].weight))
            best = i;
    return best;
}

static void assign_codes(int node, u32 code, u8 length)
{
    if (node < 256) {
        codes[node] = code;
        lengths[node] = length;
        return;
    }
    assign_codes(nodes[node].child[0], code, length + 1);
    assign_codes(nodes[node].child[1], code | 1u << length, length + 1);
}

static int build_tree(const u8 *source, u32 length)
{
    for (u32 i = 0; i < length; i++)
        nodes[source[i]].weight++;
    for (int count = 256;; count++) {
        int left = lightest(count);
        u32 weight = nodes[left].weight;
        nodes[left].weight = 0;
        int right = lightest(count);
        if (right < 0)
            return left;
        nodes[count] = (struct node){weight + nodes[right].weight, {(i16)left, (i16)right}};
        nodes[right].weight = 0;
    }
}

static u32 huffman_pack(const u8 *source, u32 length, u8 *out)
{
    u64 bits = 0;
    u32 held = 0, count = 0;
    for (u32 i = 0; i < length; i++) {
        bits |= (u64)codes[source[i]] << held;
        for (held += lengths[source[i]]; held >= 8; held -= 8, bits >>= 8)
            out[count++] = (u8)bits;
    }
    out[count++] = (u8)bits;
    return count;
}

static void huffman_unpack(const u8 *in, int root, u8 *out, u32 length)
{
    for (u32 bit = 0, i = 0; i < length; i++) {
        int node = root;
        for (; node >= 256; bit++)
            node = nodes[node].child[in[bit >> 3] >> (bit & 7) & 1];
        out[i] = (u8)node;
    }
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    u32 length = make_text();
    print_value("text", digest(text, length));

    u32 size = lz_pack(text, length, packed);
    print_value("lz size", size);
    print_value("lz bytes", digest(packed, size));
    u32 back = lz_unpack(packed, size, unpacked);
    print_value("lz same", back == length && !memcmp(text, unpacked, length));

    int root = build_tree(text, length);
    assign_codes(root, 0, 0);
    size = huffman_pack(text, length, packed);
    memset(unpacked, 0, sizeof unpacked);
    huffman_unpack(packed, root, unpacked, length);
    print_value("huffman size", size);
    print_value("huffman bytes", digest(packed, size));
    print_value("huffman same", !memcmp(text, unpacked, length));
}
