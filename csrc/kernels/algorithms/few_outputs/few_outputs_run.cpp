#include "few_outputs_run.h"

#include "kernels/core/blocking.h"
#include "kernels/core/tasks.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/rows/offset_table.h"

namespace tapconv::kernels {
namespace {

const KernelTable& table_of(const Call& call) { return *call.instruction_set->table(); }
int type_of(const Call& call) { return static_cast<int>(call.problem.data_type); }

}  // namespace

void run_dot(const DotPlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  run_all(table_of(plan).dot[type_of(plan)].run_tasks, plan, operands, parallel);
}

void run_channel_lanes(const ChannelLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  run_all(table_of(plan).channel_lanes[type_of(plan)].run_tasks, plan, operands, parallel);
}

void run_out_lanes(const OutLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  fill_offset_table(plan, reinterpret_cast<int32_t*>(static_cast<char*>(operands.workspace) + plan.offset_table_at));
  run_all(table_of(plan).out_lanes[type_of(plan)].run_tasks, plan, operands, parallel);
}

void pack_out_lanes(const OutLanePlan& plan, const ForwardOperands& operands, const Parallel& parallel) {
  const OutLaneKernels& kernels = table_of(plan).out_lanes[type_of(plan)];
  const Problem& p = plan.problem;
  const int64_t width = plan.instruction_set->vector_bytes / compute_bytes(p.data_type);
  run_tasks(parallel, plan.slots, p.groups * ceil_div(p.out_channels / p.groups, width), operands.workspace,
            [&](int64_t first, int64_t last, int) {
              for (int64_t vector = first; vector < last; ++vector) kernels.pack_vector(plan, operands, vector);
            });
}

}  // namespace tapconv::kernels
