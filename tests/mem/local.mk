# unit_tests += tests/mem/test_x
