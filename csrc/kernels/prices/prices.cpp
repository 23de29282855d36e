#include "prices.h"

namespace tapconv::kernels {

// Fitted on AMD's Zen 5, with an eye on Intel's Emerald Rapids, to some 210 layers on AVX-512 and AVX2, a quarter of
// them published models' and the rest drawn at random, so that the cheapest way by the estimates is the fastest one
// measured or close to it. Half of the estimates lie within 12 % of the measurement and nine in ten within 32 %. Those
// of few outputs were fitted to 125 layers on AVX-512 and 80 on AVX2, where the cheaper one is slower than the other by
// 10 % at the most.
constexpr Prices usual_prices = {
    .rows =
        {
            .piece = 22,
            .folded_vector = 3,
        },
    .caches =
        {
            .near_filter_bytes = 1.2e6,
            .near_transform_bytes = 32 * 1024,
            .large_transform = 1.15,
            .near_packed_line = 10,
            .far_packed_line = 20,
            .far_packed_bytes = 16e6,
        },
    .direct =
        {
            .call = 55,
            .input_line = 11,
            .strided_sample = 2,
            .partial_line = 28,
            .partial_row_line = 10,
            .weight = 0.25,
        },
    .matrix =
        {
            .step = 24,
            .call = 60,
            .row = 8,
            .transposed_row = 12,
            .output = 20,
            .weight = 1,
        },
    .tiles =
        {
            .product = 1.03,
            .winograd_product = 1.1,
            .shared_winograd_product = 1.03,
            .call = 45,
            .input = 1.6,
            .output = 2.8,
            .filter = 3.2,
            .winograd_input = 12,
            .winograd_output = 2.5,
            .winograd_filter = 10,
            .vector = 11,
            .filter_vector = 50,
            .lane_filter_vector = 15,
            .filter_product = 0.8,
            .gather_piece = 1.2,
            .scatter_piece = 0.4,
            .input_line = 17,
            .output_line = 32,
            .strided_sample = 2,
            .strided_output = 2,
            .shared_line = 5,
            .far_line = 3.5,
            .far_shared_winograd_line = 1,
            .far_sum_line = 6,
            .near_filter_line = 1.8,
            .far_filter_line = 12,
            .far_filter_bytes = 8e6,
        },
    .depthwise_tiles =
        {
            .transform = 2.3,
            .transform_byte = 0.025,
            .product = 3.2,
            .dilated_sample = 0.6,
            .narrow_line = 25,
        },
    .few_outputs =
        {
            .weight_line = 6,
            .dot_weight = 0.7,
            .dot_far_weight = 0.25,
            .far_weight_bytes = 8e6,
            .near_column_bytes = 40e3,
            .out_lane_time = 0.35,
            .out_lane_call = 8000,
        },
    .grad_weight =
        {
            .channel_lane_product = 1.1,
            .time_lane_product = 2.5,
        },
    .grad_weight_tiles =
        {
            .transform = 1.3,
            .transform_sample = 6,
            .transform_product = 2,
            .gradient_transform = 1.2,
            .product = 1.1,
            .sum = 3,
            .copied_vector = 4,
            .strided_sample = 2,
            .gradient = 8,
            .beyond_caches = 1.35,
        },
    .large_transforms =
        {
            .transform = 0.85,
            .far_transform = 1.25,
            .near_samples = 1 << 17,
            .sample = 2,
            .product = 2,
        },
    .choices =
        {
            .worth_planning_tiles = 30000,
            .worth_sharing = 0.95,
            .worth_out_lanes = 0.95,
            .worth_more_memory = 0.95,
        },
};

// A column for each class. All have the same prices today, those that plans have always been made by; a class gets its
// own by a constant beside the one above.
constexpr const Prices* columns[processor_class_count] = {
    &usual_prices,  // amd
    &usual_prices,  // intel
    &usual_prices,  // other
};

const Prices& prices_of(ProcessorClass processor) { return *columns[static_cast<int>(processor)]; }

}  // namespace tapconv::kernels
