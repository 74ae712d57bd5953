# unit_tests += tests/reactor/test_x
