/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/histogram.h>

#include <stdlib.h>
#include <string.h>

size_t weft_histogram_buckets(uint64_t largest, unsigned precision_bits)
{
	return precision_bits > WEFT_HISTOGRAM_PRECISION_MAX
		       ? 0
		       : weft_histogram_index_(largest, precision_bits) + 1;
}

static int allocate(weft_histogram *histogram)
{
	size_t cpus = weft_per_cpu_count_();
	bool restartable = weft_per_cpu_is_restartable_();
	int error = 0;

	if (restartable)
		error = weft_per_cpu_init_(&histogram->restartable_, cpus, histogram->area_bytes_);
	if (error == 0)
		error = weft_per_cpu_init_(&histogram->atomic_, restartable ? 1 : cpus,
					   histogram->area_bytes_);
	if (error == 0)
		error = weft_per_cpu_init_(&histogram->taken_, 1, histogram->area_bytes_);
	return error;
}

/* Of so many buckets, and the one for what is beyond them. */
static size_t area_bytes(size_t buckets)
{
	return weft_whole_lines_((buckets + 1) * sizeof(int64_t));
}

/* Returns 0 or -EINVAL, and then it is left zeroed. */
static int start(weft_histogram *histogram, uint64_t largest, unsigned precision_bits)
{
	size_t buckets = weft_histogram_buckets(largest, precision_bits);

	memset((void *)histogram, 0, sizeof(*histogram));
	if (buckets == 0)
		return -EINVAL;
	histogram->buckets_ = buckets;
	histogram->area_bytes_ = area_bytes(buckets);
	histogram->precision_bits_ = precision_bits;
	return 0;
}

int weft_histogram_init(weft_histogram *histogram, uint64_t largest, unsigned precision_bits)
{
	int error = start(histogram, largest, precision_bits);

	if (error == 0)
		error = allocate(histogram);
	if (error != 0)
		weft_histogram_fini(histogram);
	return error;
}

/* Also where it will be less, as there are no restartable sequences: another thread may ask. */
static size_t memory_size(size_t cpus, size_t buckets)
{
	return (cpus + 2) * area_bytes(buckets);
}

size_t weft_histogram_memory_size(uint64_t largest, unsigned precision_bits)
{
	size_t buckets = weft_histogram_buckets(largest, precision_bits);

	return buckets == 0 ? 0 : memory_size(weft_per_cpu_count_(), buckets);
}

int weft_histogram_init_in(weft_histogram *histogram, void *memory, size_t bytes, uint64_t largest,
			   unsigned precision_bits)
{
	size_t cpus = weft_per_cpu_count_();
	bool restartable = weft_per_cpu_is_restartable_();

	if (start(histogram, largest, precision_bits) != 0)
		return -EINVAL;
	if (!weft_memory_fits_(memory, bytes, memory_size(cpus, histogram->buckets_))) {
		memset((void *)histogram, 0, sizeof(*histogram));
		return -EINVAL;
	}
	if (restartable)
		memory = weft_per_cpu_init_in_(&histogram->restartable_, memory, cpus,
					       histogram->area_bytes_);
	memory = weft_per_cpu_init_in_(&histogram->atomic_, memory, restartable ? 1 : cpus,
				       histogram->area_bytes_);
	weft_per_cpu_init_in_(&histogram->taken_, memory, 1, histogram->area_bytes_);
	return 0;
}

void weft_histogram_fini(weft_histogram *histogram)
{
	weft_per_cpu_fini_(&histogram->restartable_);
	weft_per_cpu_fini_(&histogram->atomic_);
	weft_per_cpu_fini_(&histogram->taken_);
	memset((void *)histogram, 0, sizeof(*histogram));
}

void weft_histogram_add_atomic_(weft_histogram *histogram, size_t offset, uint64_t count)
{
	char *area = weft_per_cpu_near_(&histogram->atomic_, histogram->area_bytes_);

	/* relaxed: a count orders nothing. */
	atomic_fetch_add_explicit((WEFT_ATOMIC(int64_t) *)(void *)(area + offset), (int64_t)count,
				  memory_order_relaxed);
}

static uint64_t sum_of_areas(const weft_per_cpu_ *per_cpu, size_t area_bytes, size_t bucket)
{
	uint64_t sum = 0;

	/* relaxed: as sum_of_bucket says. */
	for (size_t at = 0; at < per_cpu->bytes; at += area_bytes) {
		const WEFT_ATOMIC(int64_t) *counts =
			(const void *)((const char *)per_cpu->areas + at);

		sum += (uint64_t)atomic_load_explicit(&counts[bucket], memory_order_relaxed);
	}
	return sum;
}

/*
 * How often a number of this bucket was ever recorded. What happened before the call is in it, and
 * what an earlier sum has seen, where that happened before. It only grows.
 */
static uint64_t sum_of_bucket(const weft_histogram *histogram, size_t bucket)
{
	return sum_of_areas(&histogram->restartable_, histogram->area_bytes_, bucket) +
	       sum_of_areas(&histogram->atomic_, histogram->area_bytes_, bucket);
}

static bool same_buckets(const weft_histogram *histogram, const weft_histogram_snapshot *snapshot)
{
	return histogram->buckets_ == snapshot->buckets &&
	       histogram->precision_bits_ == snapshot->precision_bits;
}

int weft_histogram_read(const weft_histogram *histogram, weft_histogram_snapshot *snapshot)
{
	const WEFT_ATOMIC(uint64_t) *marks = histogram->taken_.areas;

	if (!same_buckets(histogram, snapshot))
		return -EINVAL;
	snapshot->count = 0;
	for (size_t i = 0; i <= snapshot->buckets; i++) {
		/* T1 acquire, pairs with T3: the sum below has all that the reset has taken. */
		uint64_t taken = atomic_load_explicit(&marks[i], memory_order_acquire);

		snapshot->counts[i] = sum_of_bucket(histogram, i) - taken;
		snapshot->count += snapshot->counts[i];
	}
	return 0;
}

static uint64_t take_bucket(weft_histogram *histogram, size_t bucket)
{
	WEFT_ATOMIC(uint64_t) *mark = (WEFT_ATOMIC(uint64_t) *)histogram->taken_.areas + bucket;
	uint64_t taken, sum;

	do {
		/* T2 acquire, pairs with T3: as T1. So a mark only rises, and none comes again. */
		taken = atomic_load_explicit(mark, memory_order_acquire);
		sum = sum_of_bucket(histogram, bucket);
		if (sum == taken)
			return 0;
		/* T3 release, pairs with T1, T2: who finds this mark has seen what is below it.
		 * relaxed on failure: it is loaded again. */
	} while (!atomic_compare_exchange_strong_explicit(mark, &taken, sum, memory_order_release,
							  memory_order_relaxed));
	return sum - taken;
}

int weft_histogram_reset(weft_histogram *histogram, weft_histogram_snapshot *snapshot)
{
	if (!same_buckets(histogram, snapshot))
		return -EINVAL;
	snapshot->count = 0;
	for (size_t i = 0; i <= snapshot->buckets; i++) {
		snapshot->counts[i] = take_bucket(histogram, i);
		snapshot->count += snapshot->counts[i];
	}
	return 0;
}

int weft_histogram_snapshot_init(weft_histogram_snapshot *snapshot, uint64_t largest,
				 unsigned precision_bits)
{
	size_t buckets = weft_histogram_buckets(largest, precision_bits);

	memset(snapshot, 0, sizeof(*snapshot));
	if (buckets == 0)
		return -EINVAL;
	snapshot->counts = calloc(buckets + 1, sizeof(*snapshot->counts));
	if (snapshot->counts == NULL)
		return -ENOMEM;
	snapshot->buckets = buckets;
	snapshot->precision_bits = precision_bits;
	return 0;
}

void weft_histogram_snapshot_fini(weft_histogram_snapshot *snapshot)
{
	free(snapshot->counts);
	memset(snapshot, 0, sizeof(*snapshot));
}

int weft_histogram_snapshot_add(weft_histogram_snapshot *snapshot,
				const weft_histogram_snapshot *other)
{
	if (snapshot->buckets != other->buckets ||
	    snapshot->precision_bits != other->precision_bits)
		return -EINVAL;
	for (size_t i = 0; i <= snapshot->buckets; i++)
		snapshot->counts[i] += other->counts[i];
	snapshot->count += other->count;
	return 0;
}

/* The numbers of a bucket: the inverse of weft_histogram_index_. */
static void find_bounds(const weft_histogram_snapshot *snapshot, size_t index,
			weft_histogram_bucket *bucket)
{
	unsigned bits = snapshot->precision_bits;
	bool beyond = index == snapshot->buckets;
	size_t in_range = beyond ? index - 1 : index;
	/* The low bits that do not matter. Below 2^(bits + 1) each number has its own bucket. */
	size_t shift = in_range >> bits == 0 ? 0 : (in_range >> bits) - 1;

	bucket->least = (uint64_t)(in_range - (shift << bits)) << shift;
	bucket->largest = bucket->least + (((uint64_t)1 << shift) - 1);
	if (beyond) {
		bucket->least = bucket->largest + 1;
		bucket->largest = UINT64_MAX;
	}
}

bool weft_histogram_snapshot_next(const weft_histogram_snapshot *snapshot,
				  weft_histogram_bucket *bucket)
{
	for (size_t i = bucket->next_; i <= snapshot->buckets && snapshot->counts != NULL; i++) {
		if (snapshot->counts[i] == 0)
			continue;
		find_bounds(snapshot, i, bucket);
		bucket->count = snapshot->counts[i];
		bucket->next_ = i + 1;
		return true;
	}
	return false;
}

/* How many numbers the percentile is not to be below: from 1 to all of them. */
static uint64_t rank_of(const weft_histogram_snapshot *snapshot, double percent)
{
	double rank = (double)snapshot->count * percent / 100;

	/* Also what is not a number. */
	if (!(rank > 1))
		return 1;
	if (rank >= (double)snapshot->count)
		return snapshot->count;
	/* Rounded up, unless it is a whole number but for the error of the division. */
	uint64_t whole = (uint64_t)rank;

	return whole + (rank - (double)whole > rank * 1e-12);
}

uint64_t weft_histogram_snapshot_percentile(const weft_histogram_snapshot *snapshot, double percent)
{
	weft_histogram_bucket bucket = {0};
	uint64_t rank = rank_of(snapshot, percent), seen = 0;

	while (seen < rank && weft_histogram_snapshot_next(snapshot, &bucket))
		seen += bucket.count;
	return bucket.largest;
}

uint64_t weft_histogram_snapshot_least(const weft_histogram_snapshot *snapshot)
{
	weft_histogram_bucket bucket = {0};

	weft_histogram_snapshot_next(snapshot, &bucket);
	return bucket.least;
}

uint64_t weft_histogram_snapshot_largest(const weft_histogram_snapshot *snapshot)
{
	return weft_histogram_snapshot_percentile(snapshot, 100);
}

double weft_histogram_snapshot_mean(const weft_histogram_snapshot *snapshot)
{
	weft_histogram_bucket bucket = {0};
	double sum = 0;

	while (weft_histogram_snapshot_next(snapshot, &bucket)) {
		double middle = (double)bucket.least;

		if (bucket.next_ <= snapshot->buckets)
			middle += (double)(bucket.largest - bucket.least) / 2;
		sum += middle * (double)bucket.count;
	}
	return snapshot->count == 0 ? 0 : sum / (double)snapshot->count;
}
