unit_tests += tests/base/test_version
valgrind_tests += tests/base/test_version
