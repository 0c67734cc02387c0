/* SSE2 intrinsics: what hand-written vector code uses and compilers do not find by themselves. */
#include "guest.h"
#include <emmintrin.h>

static __m128i a, b;
static u8 buffer[64] __attribute__((aligned(16)));

static void refill(u64 *seed)
{
    u64 values[4];
    for (u32 i = 0; i < 4; i++)
        values[i] = next_random(seed) & next_random(seed);
    a = _mm_loadu_si128((const __m128i *)values);
    b = _mm_loadu_si128((const __m128i *)values + 1);
}

static u64 fold(__m128i value) { return digest(&value, sizeof value); }

static NOINLINE u64 saturating(void)
{
    u64 sum = fold(_mm_adds_epi8(a, b));
    sum = sum * 3 + fold(_mm_adds_epu8(a, b));
    sum = sum * 3 + fold(_mm_adds_epi16(a, b));
    sum = sum * 3 + fold(_mm_adds_epu16(a, b));
    sum = sum * 3 + fold(_mm_subs_epi8(a, b));
    sum = sum * 3 + fold(_mm_subs_epu8(a, b));
    sum = sum * 3 + fold(_mm_subs_epi16(a, b));
    sum = sum * 3 + fold(_mm_subs_epu16(a, b));
    sum = sum * 3 + fold(_mm_packs_epi16(a, b));
    sum = sum * 3 + fold(_mm_packs_epi32(a, b));
    return sum * 3 + fold(_mm_packus_epi16(a, b));
}

static NOINLINE u64 multiplying(void)
{
    u64 sum = fold(_mm_madd_epi16(a, b));
    sum = sum * 3 + fold(_mm_mulhi_epi16(a, b));
    sum = sum * 3 + fold(_mm_mulhi_epu16(a, b));
    sum = sum * 3 + fold(_mm_mullo_epi16(a, b));
    sum = sum * 3 + fold(_mm_mul_epu32(a, b));
    sum = sum * 3 + fold(_mm_sad_epu8(a, b));
    sum = sum * 3 + fold(_mm_avg_epu8(a, b));
    return sum * 3 + fold(_mm_avg_epu16(a, b));
}

static NOINLINE u64 comparing(void)
{
    u64 sum = fold(_mm_cmpeq_epi8(a, _mm_and_si128(a, b)));
    sum = sum * 3 + fold(_mm_cmpgt_epi8(a, b));
    sum = sum * 3 + fold(_mm_cmpgt_epi16(a, b));
    sum = sum * 3 + fold(_mm_cmpgt_epi32(a, b));
    sum = sum * 3 + fold(_mm_min_epu8(a, b));
    sum = sum * 3 + fold(_mm_max_epi16(a, b));
    sum = sum * 3 + (u64)_mm_movemask_epi8(a);
    sum = sum * 3 + (u64)_mm_movemask_pd(_mm_castsi128_pd(b));
    return sum * 3 + (u64)_mm_movemask_ps(_mm_castsi128_ps(_mm_xor_si128(a, b)));
}

static NOINLINE u64 shifting(u32 count)
{
    __m128i by = _mm_cvtsi32_si128((int)count);
    u64 sum = fold(_mm_sll_epi16(a, by));
    sum = sum * 3 + fold(_mm_srl_epi32(a, by));
    sum = sum * 3 + fold(_mm_sra_epi16(a, by));
    sum = sum * 3 + fold(_mm_sra_epi32(b, by));
    sum = sum * 3 + fold(_mm_sll_epi64(b, by));
    sum = sum * 3 + fold(_mm_srli_epi64(b, 9));
    sum = sum * 3 + fold(_mm_srai_epi32(a, 31));
    sum = sum * 3 + fold(_mm_slli_si128(a, 5));
    return sum * 3 + fold(_mm_srli_si128(a, 11));
}

static NOINLINE u64 shuffling(void)
{
    u64 sum = fold(_mm_shuffle_epi32(a, 0x1b));
    sum = sum * 3 + fold(_mm_shufflelo_epi16(a, 0x93));
    sum = sum * 3 + fold(_mm_shufflehi_epi16(a, 0x4e));
    sum = sum * 3 + fold(_mm_unpacklo_epi8(a, b));
    sum = sum * 3 + fold(_mm_unpackhi_epi16(a, b));
    sum = sum * 3 + fold(_mm_unpacklo_epi32(a, b));
    sum = sum * 3 + fold(_mm_unpackhi_epi64(a, b));
    sum = sum * 3 + fold(_mm_insert_epi16(a, 0x1234, 5));
    sum = sum * 3 + (u64)_mm_extract_epi16(b, 3);
    sum = sum * 3 + fold(_mm_move_epi64(a));
    sum = sum * 3 + (u64)_mm_cvtsi128_si64(b);
    sum = sum * 3
        + fold(_mm_castps_si128(
            _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0xc6)));
    sum = sum * 3
        + fold(_mm_castps_si128(_mm_movehl_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b))));
    return sum * 3
        + fold(_mm_castpd_si128(_mm_unpackhi_pd(_mm_castsi128_pd(a), _mm_castsi128_pd(b))));
}

static NOINLINE u64 storing(void)
{
    memset(buffer, 0, sizeof buffer);
    _mm_store_si128((__m128i *)buffer, a);
    _mm_storeu_si128((__m128i *)(buffer + 19), b);
    _mm_storel_epi64((__m128i *)(buffer + 40), a);
    _mm_stream_si128((__m128i *)(buffer + 48), _mm_andnot_si128(a, b));
    _mm_maskmoveu_si128(a, b, (char *)buffer + 1);
    _mm_stream_si32((int *)(buffer + 36), 77);
    _mm_sfence();
    return digest(buffer, sizeof buffer);
}

/* The length of a text, sixteen bytes at a time. */
static u64 vector_length(const char *text)
{
    const __m128i zero = _mm_setzero_si128();
    const char *at = (const char *)((u64)text & ~15ul);
    int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128((const __m128i *)at), zero));
    mask &= (int)(~0u << (text - at));
    while (!mask) {
        at += 16;
        mask = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128((const __m128i *)at), zero));
    }
    return (u64)(at - text) + (u64)__builtin_ctz((u32)mask);
}

void guest_code(u64 first, u64 second)
{
    (void)first, (void)second;
    u64 seed = 51, sums[6] = {0};
    for (u32 i = 0; i < 40; i++) {
        refill(&seed);
        sums[0] = sums[0] * 5 + saturating();
        sums[1] = sums[1] * 5 + multiplying();
        sums[2] = sums[2] * 5 + comparing();
        sums[3] = sums[3] * 5 + shifting(i * 2);
        sums[4] = sums[4] * 5 + shuffling();
        sums[5] = sums[5] * 5 + storing();
    }
    for (u32 i = 0; i < COUNT(sums); i++)
        print_value("intrinsics", sums[i]);
    static const char text[] = "how long is a text that starts somewhere in a line of sixteen?";
    for (u32 i = 0; i < 20; i += 3)
        print_value("length", vector_length(text + i));
}
