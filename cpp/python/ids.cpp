#include "tidegauge/profile/ids.hpp"

#include <cstring>

#include "convert.hpp"
#include "register.hpp"
#include "unlocked.hpp"

namespace py = pybind11;

namespace tidegauge::python {

void register_ids(py::module_& m) {
  m.def(
      "hash_ids",
      [](const arrow::Batch& batch, size_t column, const py::bytes& key) {
        const std::string_view bytes(key);
        if (bytes.size() != sizeof(SipHash::Key)) {
          throw SchemaError("hash_ids: the key has " + std::to_string(bytes.size()) +
                            " bytes, 16 are needed");
        }
        if (column >= batch.columns().size()) {
          throw SchemaError("hash_ids: column " + std::to_string(column) + " of " +
                            std::to_string(batch.columns().size()));
        }
        SipHash::Key words;
        std::memcpy(words.data(), bytes.data(), sizeof words);
        HashedIds found;
        {
          const Unlocked unlocked;
          found = hash_ids(batch, column, words);
        }
        const auto n = static_cast<py::ssize_t>(found.valid.size());
        py::array_t<uint64_t> hashes({n, py::ssize_t{2}});
        std::ranges::copy(found.hashes, hashes.mutable_data());
        py::array_t<bool> valid(n);
        for (py::ssize_t i = 0; i < n; ++i) valid.mutable_at(i) = found.valid[static_cast<size_t>(i)] != 0;
        return py::make_tuple(hashes, valid);
      },
      py::arg("batch"), py::arg("column"), py::arg("key"),
      "The SipHash-2-4 of 128 bits of each id, [n, 2], and whether a row has an id.");
}

}  // namespace tidegauge::python
