unit_tests += tests/base/test_clock tests/base/test_wheel
valgrind_tests += tests/base/test_clock
