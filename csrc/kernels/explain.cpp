#include "explain.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <mutex>
#include <set>
#include <sstream>

#include "choose.h"
#include "conv1d.h"
#include "kernels/algorithms/columns/column_plan.h"
#include "kernels/core/blocking.h"
#include "kernels/instruction_sets/instruction_set.h"
#include "kernels/lowering/input_gradient.h"
#include "overlap_save.h"

namespace tapconv::kernels {
namespace {

// A gradient by the input may be as many forward problems as its stride. No more than this are shown, from the first
// on.
constexpr int64_t max_parts_shown = 4;

std::string name_of(TileTransform transform) {
  const TileTransformShape& shape = shape_of(transform);
  std::ostringstream name;
  if (is_fourier(transform)) {
    name << "Fourier transforms of " << shape.size << " samples";
  } else {
    name << "Winograd's F(" << shape.size - shape.taps + 1 << ", " << shape.taps << ")";
  }
  return name.str();
}

const char* name_of(TileBlocking blocking) {
  switch (blocking) {
    case TileBlocking::private_tiles:
      return "each task transforms its own tiles";
    case TileBlocking::shared_tiles:
      return "all tasks share transformed tiles";
    case TileBlocking::filter_lanes:
      return "filters in the vector lanes";
  }
  return "";
}

std::ostream& operator<<(std::ostream& out, const Problem& p) {
  out << "input (" << p.batch << ", " << p.in_channels << ", " << p.input_length << "), weight (" << p.out_channels
      << ", " << p.in_channels / p.groups << ", " << p.kernel_size << "), stride " << p.stride << ", padding "
      << p.padding_left;
  if (p.padding_right != p.padding_left) out << " and " << p.padding_right;
  if (p.padding_mode != PaddingMode::zeros) out << " by " << name_of(p.padding_mode);
  return out << ", dilation " << p.dilation << ", groups " << p.groups << ", " << name_of(p.data_type) << ", algorithm "
             << name_of(p.algorithm);
}

void describe_tiles(std::ostream& out, const TileBlocks& tiles) {
  out << name_of(tiles.transform) << ", " << tiles.tile_count << " tiles of " << tiles.outputs
      << " outputs in blocks of " << tiles.block_tiles;
}

// Writes how a plan divides its work, as the end of a line.
void describe(std::ostream& out, const Plan& plan) {
  switch (plan.algorithm) {
    case Algorithm::direct: {
      const DirectPlan& direct = plan.direct;
      const char* const kind = direct.matrix.used            ? "matrix tiles"
                               : direct.depthwise_rows       ? "depthwise rows"
                               : direct.window_tiles         ? "window tiles"
                               : direct.short_tile_pairs > 0 ? "short tiles"
                                                             : "register tiles";
      out << kind << " of " << direct.tile_rows << " output channels, blocks of " << direct.channel_block
          << " rows and " << direct.time_block << " outputs" << (direct.folded ? ", samples folded into one row" : "")
          << (direct.pack_weight && !direct.packed_ahead ? ", weights packed in the call" : "");
      return;
    }
    case Algorithm::dot:
      out << plan.dot.column_block << " columns at a time, " << plan.dot.out_block << " output channels a task";
      return;
    case Algorithm::channel_lanes:
      out << plan.channel_lanes.vector_count << " vectors of channels";
      return;
    case Algorithm::out_lanes:
      out << "tiles of " << plan.out_lanes.tile_rows << " outputs, blocks of " << plan.out_lanes.channel_block
          << " rows";
      return;
    case Algorithm::tiles:
      describe_tiles(out, plan.tiles.tiles);
      out << ", " << name_of(plan.tiles.tiles.blocking);
      return;
    case Algorithm::grad_weight_tiles:
      describe_tiles(out, plan.grad_weight_tiles.tiles);
      return;
    case Algorithm::depthwise_tiles:
      out << name_of(plan.depthwise_tiles.depthwise.transform) << ", the filter in "
          << plan.depthwise_tiles.depthwise.filter_parts << " parts";
      return;
    case Algorithm::grad_weight_depthwise_tiles:
      out << name_of(plan.grad_weight_depthwise_tiles.depthwise.transform);
      return;
    case Algorithm::grad_weight:
      out << "lanes over " << (plan.grad_weight.grad_weight.channel_lanes ? "output channels" : "outputs") << ", "
          << plan.grad_weight.grad_weight.reduction_parts << " parts of the sum";
      return;
    case Algorithm::grad_weight_columns:
      out << "blocks of " << plan.grad_weight_columns.channel_block << " input channels";
      return;
    case Algorithm::grad_input_columns:
      out << "blocks of " << plan.grad_input.columns.channel_block << " input channels";
      return;
    default:
      return;
  }
}

std::ostream& line(std::ostream& out, const char* name) {
  return out << "  " << std::left << std::setw(28) << name << std::right;
}

void write_chosen(std::ostream& out, const Plan& plan) {
  const Call& call = plan.call();
  out << "  chosen: " << plan.algorithm_name() << ": ";
  describe(out, plan);
  out << "; " << call.task_count << (call.task_count == 1 ? " task, " : " tasks, ") << call.slots
      << (call.slots == 1 ? " thread" : " threads") << ", "
      << ceil_div(static_cast<int64_t>(call.workspace_bytes), 1024) << " KiB of workspace\n";
}

template <class List>
void write_answers(std::ostream& out, const List& ways, const Question& question) {
  for (const auto& way : ways) {
    const Answer<Plan> answer = way.plan(question);
    line(out, name_of(way.algorithm));
    if (!answer) {
      out << "      declined: " << (answer.why_not() != nullptr ? answer.why_not() : "") << '\n';
      continue;
    }
    if (way.rule == Rule::takes_precedence) {
      out << "    first choice";
    } else {
      out << std::setw(12) << std::fixed << std::setprecision(1) << answer->cost() / 1000 << " k";
    }
    out << "  ";
    describe(out, *answer);
    out << '\n';
  }
}

void explain_forward(std::ostream& out, const Problem& p, const ForwardVariant& variant, const InstructionSet& set,
                     int slots, const Prepared& prepared) {
  const Plan chosen = choose_forward(p, variant, set, slots, prepared);
  if (chosen.algorithm != Algorithm::empty)
    write_answers(out, forward_algorithms(), {p, variant, set, slots, prepared});
  write_chosen(out, chosen);
}

void explain_grad_input(std::ostream& out, const Problem& p, const InstructionSet& set, int slots) {
  const Answer<ColumnPlan> columns = plan_grad_input_columns(p, set, slots);
  line(out, name_of(Algorithm::grad_input_columns));
  if (columns) {
    out << "    first choice\n";
    return write_chosen(out, plan_grad_input(p, set, slots));
  }
  out << "      declined: " << columns.why_not() << '\n';
  const InputRange whole = whole_input(p);
  const int64_t parts = forward_problem_count(p, whole);
  out << "  computed as " << parts << (parts == 1 ? " forward problem" : " forward problems") << '\n';
  for (int64_t i = 0; i < std::min(parts, max_parts_shown); ++i) {
    const ForwardProblem part = forward_problem(p, whole, i);
    out << "  " << part.problem << '\n';
    explain_forward(out, part.problem, part.variant, set, slots, {});
  }
}

}  // namespace

std::string explain(const Problem& p, Direction direction, const InstructionSet& set, int slots,
                    const Prepared& prepared) {
  std::ostringstream out;
  out << name_of(direction) << " of " << p << ", " << set.name << ", at most " << slots
      << (slots == 1 ? " thread\n" : " threads\n");
  switch (direction) {
    case Direction::forward:
      explain_forward(out, p, plain_variant(p), set, slots, prepared);
      break;
    case Direction::grad_input:
      explain_grad_input(out, p, set, slots);
      break;
    case Direction::grad_weight: {
      const Plan chosen = choose_grad_weight(p, set, slots);
      if (chosen.algorithm != Algorithm::empty) write_answers(out, grad_weight_algorithms(), {p, {}, set, slots, {}});
      write_chosen(out, chosen);
      break;
    }
  }
  if (has_no_outputs(p) || has_no_weights(p) || p.input_length == 0) return out.str();
  if (const std::optional<OverlapSave> blocks = choose_overlap_save(p, direction, set)) {
    out << "  instead, by large transforms of " << blocks->size << " samples (overlap-save), at a cost of "
        << std::fixed << std::setprecision(1) << blocks->cost / 1000 << " k\n";
  }
  return out.str();
}

bool is_explanation_asked() {
  static const bool asked = [] {
    const char* const value = std::getenv("TAPCONV_EXPLAIN");
    return value != nullptr && value[0] != '\0' && std::strcmp(value, "0") != 0;
  }();
  return asked;
}

void write_explanation(const Problem& problem, Direction direction, const InstructionSet& instruction_set, int slots,
                       const Prepared& prepared) {
  const std::string text = explain(problem, direction, instruction_set, slots, prepared);
  static std::mutex mutex;
  static std::set<std::string> written;
  const std::lock_guard lock(mutex);
  if (written.insert(text).second) std::fprintf(stderr, "tapconv: %s", text.c_str());
}

}  // namespace tapconv::kernels
