/* Data structures: a balanced tree, a hash table, an allocator, packed and bit-field layouts. */
#include "guest.h"

static u8 arena[16384] __attribute__((aligned(16)));
static u64 used;

static void *allocate(u64 size)
{
    void *block = arena + used;
    used += (size + 15) & ~15ul;
    return used <= sizeof arena ? block : 0;
}

struct tree {
    struct tree *child[2];
    u32 key;
    i32 height;
};

static i32 height(const struct tree *t) { return t ? t->height : 0; }

static void measure(struct tree *t)
{
    i32 left = height(t->child[0]), right = height(t->child[1]);
    t->height = 1 + (left > right ? left : right);
}

static struct tree *rotate(struct tree *t, int side)
{
    struct tree *up = t->child[!side];
    t->child[!side] = up->child[side];
    up->child[side] = t;
    measure(t);
    measure(up);
    return up;
}

static struct tree *insert(struct tree *t, u32 key)
{
    if (!t) {
        t = allocate(sizeof *t);
        *t = (struct tree){{0, 0}, key, 1};
        return t;
    }
    if (key == t->key)
        return t;
    int side = key > t->key;
    t->child[side] = insert(t->child[side], key);
    measure(t);
    if (height(t->child[side]) - height(t->child[!side]) < 2)
        return t;
    if (height(t->child[side]->child[!side]) > height(t->child[side]->child[side]))
        t->child[side] = rotate(t->child[side], side);
    return rotate(t, !side);
}

static u64 in_order(const struct tree *t, u64 sum)
{
    if (!t)
        return sum;
    sum = in_order(t->child[0], sum) * 31 + t->key;
    return in_order(t->child[1], sum);
}

struct entry {
    const char *name;
    u64 count;
};

static struct entry table[64];

static struct entry *look_up(const char *name)
{
    u64 slot = digest(name, strlen(name));
    for (;; slot++) {
        struct entry *entry = &table[slot % COUNT(table)];
        if (!entry->name)
            entry->name = name;
        if (!memcmp(entry->name, name, strlen(name) + 1))
            return entry;
    }
}

struct __attribute__((packed)) header {
    u8 kind;
    u16 length;
    u32 address;
    i64 offset;
    u8 tail;
};

struct fields {
    u32 low : 3, middle : 11, high : 18;
    i64 sign : 5, rest : 40;
    u8 flag : 1;
};

union view {
    u64 whole;
    u32 halves[2];
    u16 quarters[4];
    u8 bytes[8];
};

static NOINLINE u64 use_fields(struct fields *f, u32 turns)
{
    u64 sum = 0;
    for (u32 i = 0; i < turns; i++) {
        f->low += 3;
        f->middle ^= i * 77;
        f->high -= 12345;
        f->sign -= 3;
        f->rest = f->rest * 5 - i;
        f->flag = (u8)((f->flag ^ i) & 1);
        sum = sum * 3 + f->low + f->middle + f->high + (u64)f->sign + (u64)f->rest + f->flag;
    }
    return sum;
}

static NOINLINE u64 use_packed(struct header *headers, u32 count)
{
    u64 sum = 0;
    for (u32 i = 0; i < count; i++) {
        headers[i] = (struct header){(u8)i, (u16)(i * 300), i * 70000, -(i64)i << 33, (u8)~i};
        headers[i / 2].offset += headers[i].length;
        sum = sum * 7 + (u64)headers[i / 2].offset + headers[i].tail;
    }
    return sum ^ digest(headers, count * sizeof *headers);
}

static u64 reversed_list(u32 count)
{
    struct link {
        struct link *next;
        u64 value;
    } *head = 0, *turned = 0;
    for (u32 i = 0; i < count; i++) {
        struct link *link = allocate(sizeof *link);
        *link = (struct link){head, i * i};
        head = link;
    }
    while (head) {
        struct link *next = head->next;
        head->next = turned;
        turned = head;
        head = next;
    }
    u64 sum = 0;
    for (; turned; turned = turned->next)
        sum = sum * 5 + turned->value;
    return sum;
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    struct tree *root = 0;
    u64 seed = 41;
    for (u32 i = 0; i < 100; i++)
        root = insert(root, i % 3 ? (u32)next_random(&seed) % 1000 : i);
    print_value("tree height", (u64)height(root));
    print_value("tree", in_order(root, 0));

    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rip", "cr3", "efer"};
    for (u32 i = 0; i < 100; i++)
        look_up(names[next_random(&seed) % COUNT(names)])->count += i;
    for (u32 i = 0; i < COUNT(names); i++)
        print_value(names[i], look_up(names[i])->count);

    struct fields fields = {0};
    print_value("fields", use_fields(&fields, 50));
    static struct header headers[20];
    print_value("packed", use_packed(headers, COUNT(headers)));
    union view view = {0x0123456789abcdef};
    view.quarters[1] ^= view.bytes[7];
    view.halves[1] += view.quarters[2];
    print_value("view", view.whole);
    print_value("list", reversed_list(100));
    print_value("used", used);
}
