// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_REQUEST_VIEW_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_REQUEST_VIEW_HPP

#include <async_resource/python/detail/python.hpp>

#include <utility>

#include <async_resource/detail/asio.hpp>
#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/buffer.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/object.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

// A memoryview on memory that is not Python's, and every other one that was made of it, for as long as that memory is
// there. The GIL is held throughout.
class request_view {
 public:
  explicit request_view(asio::const_buffer bytes)
      : bytes_(bytes),
        view_(checked(PyMemoryView_FromMemory(
            // CPython wants an address also where there is nothing to be read.
            bytes.size() == 0 ? const_cast<char*>("") : static_cast<char*>(const_cast<void*>(bytes.data())),
            static_cast<Py_ssize_t>(bytes.size()), PyBUF_READ))),
        memory_(object::share(reinterpret_cast<PyObject*>(managed()))) {}

  request_view(const request_view&) = delete;
  request_view& operator=(const request_view&) = delete;

  const object& get() const noexcept { return view_; }

  // Whether what lies there is part of the memory.
  bool contains(asio::const_buffer part) const noexcept {
    const auto* const begin = static_cast<const char*>(bytes_.data());
    const auto* const at = static_cast<const char*>(part.data());
    return bytes_.size() != 0 && at >= begin && at <= begin + bytes_.size();
  }

  // No Python object reads the memory from here on; else it says which one would.
  void revoke() {
    const object own(release(view_.get()));
    if (!own) PyErr_Clear();
    view_ = {};
    if (exports() == 0) return;
    if (release_others() && exports() == 0) return;
    PyErr_SetString(PyExc_BufferError,
                    "the callable kept an object that reads the request's memory and cannot be made to let go of it, "
                    "such as an array made of the memoryview: take bytes(request) to keep it");
    throw take_error();
  }

 private:
  _PyManagedBufferObject* managed() const noexcept { return reinterpret_cast<PyMemoryViewObject*>(view_.get())->mbuf; }

  // Of the memory, by memoryviews.
  Py_ssize_t exports() const noexcept { return reinterpret_cast<_PyManagedBufferObject*>(memory_.get())->exports; }

  static object release(PyObject* view) noexcept { return object(call_method(view, "release")); }

  bool is_view(PyObject* one) const noexcept {
    return PyMemoryView_Check(one) &&
           reinterpret_cast<PyObject*>(reinterpret_cast<PyMemoryViewObject*>(one)->mbuf) == memory_.get();
  }

  // A memoryview refers to the memory it reads by way of `memory_`, where the garbage collector finds it. False if an
  // object that is not found refers to one: an array of NumPy does, and reads past it, released or not.
  bool release_others() const {
    const object gc = checked(PyImport_ImportModule("gc"));
    const object referrers = checked(call_method(gc.get(), "get_referrers", memory_.get()));
    const object views = checked(PyList_New(0));
    for_each(referrers, [&](PyObject* one) {
      if (is_view(one) && PyList_Append(views.get(), one) != 0) throw take_error();
    });
    const bool all_found = all_holders_found(gc, views);
    for_each(views, [](PyObject* one) {
      if (!release(one)) PyErr_Clear();
    });
    return all_found;
  }

  // Two walks through all objects, however many views there are.
  bool all_holders_found(const object& gc, const object& views) const {
    const object arguments = checked(PyList_AsTuple(views.get()));
    const object get_referrers = checked(get_attribute(gc.get(), "get_referrers"));
    const object holders = checked(PyObject_CallObject(get_referrers.get(), arguments.get()));
    Py_ssize_t references = 0;
    for_each(views, [&](PyObject* one) { references += Py_REFCNT(one); });
    Py_ssize_t found = PyTuple_Size(arguments.get());  // by the tuple itself, which is left out of what is found
    for_each(holders, [&](PyObject* holder) {
      for_each(checked(call_method(gc.get(), "get_referents", holder)), [&](PyObject* one) { found += is_view(one); });
    });
    return found >= references;
  }

  // The elements are borrowed.
  template <class Function>
  static void for_each(const object& list, const Function& function) {
    for (Py_ssize_t i = 0; i != PyList_Size(list.get()); ++i) function(PyList_GetItem(list.get(), i));
  }

  asio::const_buffer bytes_;
  object view_;
  object memory_;
};

// Of what a callable returned, a copy where it would be of the request.
inline buffer bytes_of(object returned, const request_view* request) {
  buffer found(std::move(returned));
  if (request && request->contains(found.bytes())) found = buffer(to_bytes(found.bytes()));
  return found;
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_REQUEST_VIEW_HPP
