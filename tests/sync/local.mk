# unit_tests += tests/sync/test_x
