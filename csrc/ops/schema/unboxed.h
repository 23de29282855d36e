// Between the dispatcher and the operators' bodies.
//
// The dispatcher hands a call over as its schema lists it: up to ten arguments in a row. A body takes those that belong
// together as one struct, such as RawAttributes. The struct says which arguments it is made of, in the schema's order,
// and that is the only place where they are listed:
//
//     static S from_arguments(A first, B second, ...);  // of the types that the dispatcher hands over
//     auto arguments() const;                           // std::tie() of the same: the way back
//
// Every other parameter of a body is handed on as it is. All of this is resolved at compile time: what the dispatcher
// calls is one function with the schema's own types, into which the body can be inlined.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/SymInt.h>

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace tapconv::ops {

template <typename T>
concept MadeOfArguments = requires { &T::from_arguments; };

namespace detail {

template <typename Result, typename... Parameters>
std::tuple<Parameters...> parameters_of(Result (*)(Parameters...));

// The types of the dispatcher's arguments behind one parameter of a body.
template <typename Parameter>
struct Behind {
  using Types = std::tuple<Parameter>;
};
// A schema's SymInt comes by value.
template <>
struct Behind<const c10::SymInt&> {
  using Types = std::tuple<c10::SymInt>;
};
template <MadeOfArguments T>
struct Behind<const T&> {
  using Types = decltype(parameters_of(&T::from_arguments));
};

template <typename Parameter>
inline constexpr size_t count_behind = std::tuple_size_v<typename Behind<Parameter>::Types>;

template <typename... Parameters>
using AllBehind = decltype(std::tuple_cat(std::declval<typename Behind<Parameters>::Types>()...));

// The parameter of a body whose arguments begin at the place `first` of `all`, a tuple of references.
template <typename Parameter, size_t first, typename All>
decltype(auto) parameter_from(All& all) {
  using T = std::remove_cvref_t<Parameter>;
  if constexpr (MadeOfArguments<T>) {
    return [&]<size_t... i>(std::index_sequence<i...>) {
      return T::from_arguments(std::get<first + i>(std::move(all))...);
    }(std::make_index_sequence<count_behind<Parameter>>());
  } else {
    return std::get<first>(std::move(all));
  }
}

// References to the dispatcher's arguments behind a parameter.
template <typename Parameter>
auto arguments_behind(Parameter& parameter) {
  if constexpr (MadeOfArguments<std::remove_cvref_t<Parameter>>) {
    return parameter.arguments();
  } else {
    return std::tie(parameter);
  }
}

template <auto body, typename Body, typename Arguments>
struct Unboxed;
template <auto body, typename Result, typename... Parameters, typename... Arguments>
struct Unboxed<body, Result(Parameters...), std::tuple<Arguments...>> {
  static Result call(Arguments... arguments) {
    std::tuple<Arguments&&...> all(std::forward<Arguments>(arguments)...);
    return [&]<size_t... i>(std::index_sequence<i...>) -> Result {
      return body(parameter_from<Parameters, first_of(i)>(all)...);
    }(std::index_sequence_for<Parameters...>());
  }

 private:
  // The place of a parameter's first argument.
  static constexpr size_t first_of(size_t parameter) {
    constexpr std::array<size_t, sizeof...(Parameters)> counts = {count_behind<Parameters>...};
    size_t first = 0;
    for (size_t i = 0; i < parameter; ++i) first += counts[i];
    return first;
  }
};

template <auto body, typename Result, typename... Parameters>
constexpr auto unboxed_of(Result (*)(Parameters...)) {
  return &Unboxed<body, Result(Parameters...), AllBehind<Parameters...>>::call;
}

template <typename Result, typename Arguments>
struct Signature;
template <typename Result, typename... Arguments>
struct Signature<Result, std::tuple<Arguments...>> {
  using Type = Result(Arguments...);
};

}  // namespace detail

// The function to register for a body: m.impl("conv1d", unboxed<&conv1d>).
template <auto body>
inline constexpr auto unboxed = detail::unboxed_of<body>(body);

// A registered operator, called through the dispatcher with the parameters of a body.
template <typename Body>
class RegisteredOperator;
template <typename Result, typename... Parameters>
class RegisteredOperator<Result(Parameters...)> {
  using Signature = typename detail::Signature<Result, detail::AllBehind<Parameters...>>::Type;

 public:
  // Raises if there is no operator of this name, or if its schema has other types.
  explicit RegisteredOperator(const char* name, const char* overload = "")
      : handle_(c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>()) {}

  Result operator()(Parameters... parameters) const {
    return std::apply([&](auto&... arguments) -> Result { return handle_.call(arguments...); },
                      std::tuple_cat(detail::arguments_behind(parameters)...));
  }

 private:
  c10::TypedOperatorHandle<Signature> handle_;
};

}  // namespace tapconv::ops
