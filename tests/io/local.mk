# unit_tests += tests/io/test_x
