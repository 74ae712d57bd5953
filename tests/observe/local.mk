# unit_tests += tests/observe/test_x
