# unit_tests += tests/bridge/test_x
