unit_tests += tests/base/test_version tests/base/test_clock tests/base/test_wheel
valgrind_tests += tests/base/test_version tests/base/test_clock
