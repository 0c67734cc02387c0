/* Sorting by seven ways, of words, of structures and through callbacks. */
#include "guest.h"

enum { LENGTH = 300 };

struct record {
    u64 key;
    u32 place;
    i16 weight;
    u8 tag;
};

static u32 numbers[LENGTH], scratch[LENGTH];
static u64 longs[LENGTH], long_scratch[LENGTH];
static struct record records[LENGTH], record_scratch[LENGTH];

static void fill(u64 seed)
{
    for (u32 i = 0; i < LENGTH; i++) {
        u64 random = next_random(&seed);
        numbers[i] = (u32)random;
        longs[i] = random;
        records[i] = (struct record){random & 63, i, (i16)(random >> 20), (u8)(random >> 40)};
    }
}

static void quick_sort(u32 *low, u32 *high)
{
    while (low < high) {
        u32 pivot = low[(high - low) / 2], *left = low, *right = high;
        while (left <= right) {
            while (*left < pivot)
                left++;
            while (*right > pivot)
                right--;
            if (left <= right) {
                u32 held = *left;
                *left++ = *right;
                *right-- = held;
            }
        }
        quick_sort(low, right);
        low = left;
    }
}

static void sift_down(u32 *heap, u32 root, u32 count)
{
    for (u32 child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && heap[child] < heap[child + 1])
            child++;
        if (heap[root] >= heap[child])
            return;
        u32 held = heap[root];
        heap[root] = heap[child];
        heap[child] = held;
    }
}

static void heap_sort(u32 *heap, u32 count)
{
    for (u32 root = count / 2; root-- > 0;)
        sift_down(heap, root, count);
    while (count-- > 1) {
        u32 held = heap[0];
        heap[0] = heap[count];
        heap[count] = held;
        sift_down(heap, 0, count);
    }
}

static void merge_sort(u32 *from, u32 *to, u32 count)
{
    if (count < 2)
        return;
    u32 half = count / 2, left = 0, right = half;
    merge_sort(from, to, half);
    merge_sort(from + half, to + half, count - half);
    for (u32 i = 0; i < count; i++)
        to[i] = right >= count || (left < half && from[left] <= from[right]) ? from[left++]
                                                                            : from[right++];
    memcpy(from, to, count * sizeof *from);
}

static void shell_sort(u32 *values, u32 count)
{
    for (u32 gap = count / 2; gap; gap /= 2)
        for (u32 i = gap; i < count; i++) {
            u32 held = values[i], j = i;
            for (; j >= gap && values[j - gap] > held; j -= gap)
                values[j] = values[j - gap];
            values[j] = held;
        }
}

static void radix_sort(u64 *values, u64 *other, u32 count)
{
    for (u32 shift = 0; shift < 64; shift += 8) {
        u32 places[257] = {0};
        for (u32 i = 0; i < count; i++)
            places[(values[i] >> shift & 255) + 1]++;
        for (u32 i = 0; i < 256; i++)
            places[i + 1] += places[i];
        for (u32 i = 0; i < count; i++)
            other[places[values[i] >> shift & 255]++] = values[i];
        u64 *held = values;
        values = other;
        other = held;
    }
}

static void counting_sort(struct record *values, struct record *out, u32 count)
{
    u32 places[65] = {0};
    for (u32 i = 0; i < count; i++)
        places[values[i].key + 1]++;
    for (u32 i = 0; i < 64; i++)
        places[i + 1] += places[i];
    for (u32 i = 0; i < count; i++)
        out[places[values[i].key]++] = values[i];
}

typedef int compare(const void *, const void *);

/* qsort of any element size: insertion for short runs, Lomuto partition for long ones. */
static void sort_any(u8 *base, u64 count, u64 size, compare *order)
{
    u8 held[64];
    while (count > 8) {
        u64 store = 0;
        for (u64 i = 0; i + 1 < count; i++)
            if (order(base + i * size, base + (count - 1) * size) < 0) {
                memcpy(held, base + i * size, size);
                memcpy(base + i * size, base + store * size, size);
                memcpy(base + store++ * size, held, size);
            }
        memcpy(held, base + store * size, size);
        memcpy(base + store * size, base + (count - 1) * size, size);
        memcpy(base + (count - 1) * size, held, size);
        sort_any(base, store, size, order);
        base += (store + 1) * size;
        count -= store + 1;
    }
    for (u64 i = 1; i < count; i++)
        for (u64 j = i; j && order(base + (j - 1) * size, base + j * size) > 0; j--) {
            memcpy(held, base + j * size, size);
            memcpy(base + j * size, base + (j - 1) * size, size);
            memcpy(base + (j - 1) * size, held, size);
        }
}

static int by_weight(const void *left, const void *right)
{
    const struct record *l = left, *r = right;
    return l->weight != r->weight ? l->weight - r->weight : (int)(l->place - r->place);
}

static int by_tag_descending(const void *left, const void *right)
{
    const struct record *l = left, *r = right;
    return l->tag != r->tag ? r->tag - l->tag : (int)l->place - (int)r->place;
}

static int by_value(const void *left, const void *right)
{
    u32 l = *(const u32 *)left, r = *(const u32 *)right;
    return (l > r) - (l < r);
}

static u64 record_digest(const struct record *values)
{
    u64 hash = 0;
    for (u32 i = 0; i < LENGTH; i++)
        hash = hash * 31 + (values[i].key ^ values[i].place << 8 ^ (u64)values[i].weight << 24)
            + values[i].tag;
    return hash;
}

static void report(const char *name)
{
    u32 ordered = 1;
    for (u32 i = 1; i < LENGTH; i++)
        ordered &= numbers[i - 1] <= numbers[i];
    print_value(name, ordered ? digest(numbers, sizeof numbers) : 0);
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    fill(1);
    quick_sort(numbers, numbers + LENGTH - 1);
    report("quick");
    fill(1);
    heap_sort(numbers, LENGTH);
    report("heap");
    fill(1);
    merge_sort(numbers, scratch, LENGTH);
    report("merge");
    fill(1);
    shell_sort(numbers, LENGTH);
    report("shell");
    fill(1);
    sort_any((u8 *)numbers, LENGTH, sizeof *numbers, by_value);
    report("callback");

    radix_sort(longs, long_scratch, LENGTH);
    print_value("radix", digest(longs, sizeof longs));
    counting_sort(records, record_scratch, LENGTH);
    print_value("counting", record_digest(record_scratch));
    static compare *const orders[] = {by_weight, by_tag_descending};
    for (u32 i = 0; i < COUNT(orders); i++) {
        sort_any((u8 *)records, LENGTH, sizeof *records, orders[i]);
        print_value(i ? "by tag" : "by weight", record_digest(records));
    }
}
